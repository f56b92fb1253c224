import { randomUUID } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isCommandEnabled, isNodeServer } from '@vitrine/core/policy/server-config'
import type { ServerStatus, WorkerPolicy } from '@vitrine/core/policy/worker-protocol'
import { describeProblems } from '@vitrine/core/yaml/problems'
import { parseNodeConfig, type NodeServer } from './config/node-config.ts'
import { nodeServers, type NodeServers } from './config/node-servers.ts'
import { controlClient } from './control/client.ts'
import { createControl } from './control/control.ts'
import { textOf } from './control/failure.ts'
import { createDispatch } from './dispatch/http-server.ts'
import { createKeyRing } from './dispatch/key-ring.ts'
import { createSeenCalls } from './dispatch/replay.ts'
import { tokenVerifier } from './dispatch/token.ts'
import { environment, type Environment } from './environment.ts'
import { kmsClient } from './kms/client.ts'
import { opener, type Open } from './kms/open.ts'
import { logError, logInfo, logWarning } from './log.ts'
import type { PoolServer } from './server/api.ts'
import { createPool } from './server/pool.ts'

/**
 * The worker's entry point and composition root: reads the environment, connects the parts, and runs until told to
 * stop.
 */

/** How long SIGTERM waits for calls. Cloud Run allows 10 s in all, and the servers' own grace takes 5 of them. */
const DRAIN_MS_MAX = 4_000

/** What the node provides: servers of worker.yaml, and access to secrets. */
interface Node {
  servers: NodeServers
  open: Open
}

/** Returns the exit code: 0 if it was told to stop, 1 if the key is no longer valid. */
async function main(): Promise<number> {
  const settings = environment(process.env)
  const asked = signalled()
  const node = await readNode(settings)
  // Child processes must not inherit these.
  for (const name of ['VITRINE_KEY', ...settings.secretEnv]) delete process.env[name]
  const workDir = settings.workDir ?? (await temporaryFolder())
  try {
    return await run(settings, node, workDir, asked)
  } finally {
    if (settings.workDir === null) await rm(workDir, { recursive: true, force: true })
  }
}

/** A temporary folder that servers' own users can pass through to their folders. */
async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vitrine-worker-'))
  await chmod(folder, 0o711)
  return folder
}

async function run(settings: Environment, node: Node, workDir: string, asked: Promise<0>): Promise<number> {
  const { policyId, cacheDir, installBytesMax, host, port, workerUrl } = settings
  const instanceId = randomUUID()
  const client = controlClient(settings)
  const keys = createKeyRing({ ask: client.keys, now: Date.now })
  const revoked = Promise.withResolvers<1>()
  const started = Promise.withResolvers<void>()
  let policy: WorkerPolicy | null = null
  let unasked = ''
  // During a change of policy, servers of the old and new one exist; the control plane knows only those of the new one.
  const isOfPolicy = (slug: string): boolean => policy?.servers.some((server) => server.slug === slug) ?? false

  const pool = createPool({
    workDir,
    cacheDir,
    policyId,
    installBytesMax,
    open: node.open,
    lockfile: (slug) => client.lockfile({ slug }),
    onEvent(event) {
      if (isOfPolicy(event.slug)) control.event(event)
    },
    onListed: ({ pin, ...told }) => control.report({ ...pin, ...told }),
  })
  for (const what of pool.containment.missing) logWarning(`Containment: ${what}`)
  const dispatch = createDispatch({
    verify: tokenVerifier({ policyId, instanceId, findKey: keys.find, now: Date.now }),
    seen: createSeenCalls(Date.now),
    pool,
    isEnabled(slug, command) {
      const server = policy?.servers.find((other) => other.slug === slug)
      return server !== undefined && isCommandEnabled(server, command)
    },
    orgId: () => policy?.orgId ?? null,
    health: () => ({ instanceId, policyVersion: policy?.version ?? null, servers: pool.states() }),
  })
  const bound = await dispatch.listen(port, host)
  logInfo(`listening: port ${bound}`)
  const control = createControl({
    client,
    instanceId,
    url: workerUrl ?? `http://127.0.0.1:${bound}`,
    states: () => pool.states().filter(({ slug }) => isOfPolicy(slug)),
    onPolicy(changed) {
      const isFirst = policy === null
      policy = changed
      const before = unasked
      unasked = node.servers.unasked(changed.servers.filter(isNodeServer)).join(', ')
      if (unasked !== '' && unasked !== before)
        logWarning(`worker.yaml: not started, for the policy does not name them with node: true: ${unasked}`)
      const applied = pool.apply({ servers: serversOf(changed, node.servers) })
      // The first policy decides when the worker is ready: a later one would not wait for servers that are still
      // starting.
      if (isFirst) started.resolve(applied)
      else void applied.then(() => logFailed(changed, pool.states()))
    },
    onKeys: keys.replace,
    onRefused: pool.refuse,
    onRevoked(reason) {
      logError(`The control plane refuses the connector key, so this worker serves no more: ${textOf(reason)}`)
      revoked.resolve(1)
    },
  })
  void control.start()
  started.promise.then(
    () => logInfo(`ready: policy ${policyId}, instance ${instanceId}, port ${bound}${failedOf(pool.states())}`),
    revoked.reject,
  )

  const code = await Promise.race([asked, revoked.promise])
  // When told to stop, calls are served until the control plane knows; with a revoked key they end at once.
  if (code === 0) await control.stop()
  await dispatch.drain(code === 0 ? DRAIN_MS_MAX : 0)
  await pool.close()
  await dispatch.close()
  return code
}

/** What the operator has to know beside that the worker is ready. */
function failedOf(servers: ServerStatus[]): string {
  const failed = servers.filter(({ state }) => state === 'failed')
  return failed.map(({ slug, error = '' }) => `; failed: ${slug} (${error.replaceAll(/\s+/g, ' ')})`).join('')
}

function logFailed({ version }: WorkerPolicy, servers: ServerStatus[]): void {
  const failed = failedOf(servers)
  if (failed !== '') logWarning(`policy version ${version}${failed}`)
}

/** What to run for a policy's servers. */
function serversOf({ servers }: WorkerPolicy, node: NodeServers): PoolServer[] {
  return servers.map((server) => (isNodeServer(server) ? node.serverFor(server) : server))
}

async function readNode({ configFile, secretEnv, kmsEmulatorHost }: Environment): Promise<Node> {
  const configured = configFile === null ? [] : await readConfig(configFile)
  const servers = nodeServers(configured, process.env)
  const listed = Object.fromEntries(
    [...secretEnv].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  )
  const open = opener({ kms: kmsClient(kmsEmulatorHost), values: { ...listed, ...servers.values } })
  return { servers, open }
}

async function readConfig(file: string): Promise<NodeServer[]> {
  const parsed = parseNodeConfig(await readFile(file, 'utf8'))
  if (!parsed.ok) throw new Error(`The node configuration cannot be used.\n${describeProblems(file, parsed.problems)}`)
  if (parsed.value.warnings.length > 0) logWarning(describeProblems(file, parsed.value.warnings))
  return parsed.value.servers
}

function signalled(): Promise<0> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(0))
  })
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    logError(error instanceof Error ? error.message : String(error))
    process.exit(1)
  },
)
