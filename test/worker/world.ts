import { spawn, type ChildProcess } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { JsonObject } from '@vitrine/core/json/value'
import { callAudience } from '@vitrine/core/policy/call-token'
import type { CallAnswer, CallBody } from '@vitrine/core/policy/worker-protocol'
import { ROOT } from '../../scripts/stack/paths.ts'
import type { Answer } from '../../scripts/stack/rpc.ts'
import { claimsFor, newBody, newSigner, tokenFor, type Signer } from '../../worker/src/dispatch/token.fixture.ts'
import { admin, call, db, done, invoke, type Agent, type Owner } from '../e2e/world.ts'
import { afterFile } from '../stack/after-file.ts'
import { stack } from '../stack/stack.ts'
import { CACHE, reportedOf, SERVERS } from './packages.ts'

/** A tools worker in a process, on the stack of this test run. */
export interface Worker {
  pid: number
  /** Everything it has printed so far, on both streams. */
  output(): string
  health(): Promise<{
    instanceId: string
    policyVersion: number | null
    servers: { slug: string; state: string; error?: string }[]
  }>
  url(): string
  /** Resolves when every server of its policy has started or failed to. Rejects if the worker ended before. */
  ready(): Promise<void>
  kill(signal: NodeJS.Signals): void
  exited: Promise<number | NodeJS.Signals>
}

export interface Policy {
  policyId: string
  key: string
}

const running = new Set<Worker>()
/** Resolve when the folders of stopped workers are removed. */
const cleared: Promise<void>[] = []

async function stopWorkers(): Promise<void> {
  for (const worker of running) worker.kill('SIGTERM')
  await Promise.all(cleared.splice(0))
}

export function newPolicy(owner: Owner, servers: readonly object[], settings: object = {}): Promise<Policy> {
  return done<Policy>(admin('createPolicy', { name: 'Tools', servers, ...settings }, owner))
}

/**
 * A policy whose packages are pinned to what their first worker reported in this run, so that its workers start without
 * npm.
 */
export async function newPinnedPolicy(owner: Owner, servers: readonly object[], settings?: object): Promise<Policy> {
  const policy = await newPolicy(owner, servers, settings)
  for (const { slug, package: name } of servers as readonly { slug: string; package?: string }[]) {
    const server = Object.values(SERVERS).find((one) => one.package === name)
    if (!server) continue
    const report = { instanceId: 'first', slug, ...(await reportedOf(server)) }
    await done(call('worker/report', report, { bearer: policy.key }))
  }
  return policy
}

/** Starts a worker without waiting for it. */
export async function startWorker({ key }: Policy, env: NodeJS.ProcessEnv = {}): Promise<Worker> {
  const workDir = await mkdtemp(join(tmpdir(), 'vitrine-worker-test-'))
  // Servers may run as separate users.
  await chmod(workDir, 0o711)
  const child = spawn(process.execPath, ['--enable-source-maps', join(ROOT, 'worker/lib/main.js')], {
    env: {
      // Keeps how the registry is reached; its earlier answers are cached.
      ...process.env,
      npm_config_prefer_offline: 'true',
      METADATA_SERVER_DETECTION: 'none',
      VITRINE_KEY: key,
      VITRINE_URL: stack().baseUrl,
      KMS_EMULATOR_HOST: stack().kms,
      VITRINE_CACHE_DIR: CACHE,
      VITRINE_WORK_DIR: workDir,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const worker = describe(child)
  afterFile(stopWorkers)
  running.add(worker)
  cleared.push(
    worker.exited.then(() => {
      running.delete(worker)
      return rm(workDir, { recursive: true, force: true })
    }),
  )
  return worker
}

/** Starts a worker and waits until its servers are ready. */
export async function readyWorker(policy: Policy, env: NodeJS.ProcessEnv = {}): Promise<Worker> {
  const worker = await startWorker(policy, env)
  await worker.ready()
  return worker
}

function describe(child: ChildProcess): Worker {
  let output = ''
  const exited = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal!)),
  )
  const port = (): string => /ready: .* port (\d+)/.exec(output)?.[1] ?? ''
  const readiness = Promise.withResolvers<void>()
  readiness.promise.catch(() => {})
  void exited.then((how) => readiness.reject(new Error(`The worker ended (${how}): ${output}`)))
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (port() !== '') readiness.resolve()
    })
  }
  const url = (): string => `http://127.0.0.1:${port()}`
  return {
    pid: child.pid!,
    output: () => output,
    url,
    health: async () => (await (await fetch(`${url()}/healthz`)).json()) as Awaited<ReturnType<Worker['health']>>,
    ready: () => readiness.promise,
    kill: (signal) => void child.kill(signal),
    exited,
  }
}

interface Described {
  instanceId: string
  live: boolean
  servers: { state: string }[]
}

/** The instances of workers whose servers are all ready, so that the control plane sends them calls. */
async function liveInstances(owner: Owner, { policyId }: Policy): Promise<string[]> {
  const { workers } = await done<{ workers: Described[] }>(admin('getPolicy', { policyId }, owner))
  return workers
    .filter(({ live, servers }) => live && servers.every(({ state }) => state === 'ready') && servers.length > 0)
    .map(({ instanceId }) => instanceId)
}

export async function liveWorkers(owner: Owner, policy: Policy): Promise<number> {
  return (await liveInstances(owner, policy)).length
}

export async function isLive(owner: Owner, policy: Policy, worker: Worker): Promise<boolean> {
  return (await liveInstances(owner, policy)).includes((await worker.health()).instanceId)
}

let signer: Promise<Signer> | undefined

/** A key that every worker of the stack accepts, like the functions' own. */
function publishedSigner(): Promise<Signer> {
  return (signer ??= newSigner().then(async (made) => {
    await db()
      .doc(`dispatchKeys/${made.key.kid}`)
      .create({ publicKey: made.key.publicKey, expiresAt: new Date(Date.now() + 3_600_000) })
    return made
  }))
}

/** Sends a call directly to a worker, as the functions do. */
async function postCall(worker: Worker, { policyId }: Policy, changes: Partial<CallBody>): Promise<Response> {
  const body = newBody({ timeoutMs: 20_000, ...changes })
  const { instanceId } = await worker.health()
  const token = await tokenFor(await publishedSigner(), { ...claimsFor(body), aud: callAudience(policyId, instanceId) })
  return fetch(`${worker.url()}/call`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  })
}

/** Calls a command directly at a worker. */
export async function callWorker(
  worker: Worker,
  policy: Policy,
  server: string,
  command: string,
  args: JsonObject = {},
): Promise<Answer> {
  const response = await postCall(worker, policy, { server, command, arguments: args })
  return { status: response.status, body: await response.json(), headers: response.headers }
}

/** The events of a call directly at a worker, as they come: its progress, then its end. */
export async function* callEvents(
  worker: Worker,
  policy: Policy,
  server: string,
  command: string,
  args: JsonObject,
): AsyncGenerator<{ progress: JsonObject } | CallAnswer> {
  const { body } = await postCall(worker, policy, { server, command, arguments: args, stream: true })
  let text = ''
  for await (const piece of body!.pipeThrough(new TextDecoderStream())) {
    const events = (text + piece).split('\n\n')
    text = events.pop()!
    for (const event of events) yield JSON.parse(event.slice('data: '.length)) as CallAnswer
  }
}

/** The code of a worker's refusal, or null for a result. */
export async function refusal(answer: Promise<Answer>): Promise<string | null> {
  return ((await answer).body as { error?: { code: string } }).error?.code ?? null
}

/** The first text of a worker's result. */
export async function told(answer: Promise<Answer>): Promise<string> {
  const { body } = await answer
  const text = (body as { result?: { content?: { text?: string }[] } }).result?.content?.[0]?.text
  if (text === undefined) throw new Error(JSON.stringify(body))
  return text
}

/** Calls a command of a server as an agent of the policy's organization. */
export function callTool(agent: Agent, name: string, args: object = {}, data: object = {}): Promise<Answer> {
  return invoke(agent, { name, args, ...data })
}

/** The text of a result that must succeed. */
export async function said(answer: Promise<Answer>): Promise<string> {
  const { result } = await done<{ result: { content: { text: string }[] } }>(answer)
  return result.content[0]!.text
}

/** Waits for an effect of other processes; the test's own timeout limits it. */
export async function eventually(check: () => Promise<unknown>): Promise<void> {
  await expect.poll(check, { timeout: 100_000, interval: 100 }).toBeTruthy()
}
