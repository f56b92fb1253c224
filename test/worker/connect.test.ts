import { chmod, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Pin } from '@vitrine/core/policy/pin'
import { checkChain } from '../e2e/chain.ts'
import { admin, done, newOwner, newSecret, type Owner } from '../e2e/world.ts'
import { descendants, isAlive } from '../stack/cli.ts'
import { nodeFiles, WEB } from './node-servers.ts'
import { CACHE, SERVERS } from './packages.ts'
import {
  callEvents,
  callWorker,
  eventually,
  newPinnedPolicy,
  newPolicy,
  readyWorker,
  refusal,
  startWorker,
  told,
  type Policy,
  type Worker,
} from './world.ts'

/** The exchange between a worker and the control plane; calls are sent to the worker directly. */

const SLOW = { timeout: 240_000 }

interface Described {
  policy: { version: number }
  servers: { slug: string; pinned: Pin | null }[]
  workers: { instanceId: string; live: boolean; servers: { slug: string; state: string }[] }[]
}

function describePolicy(owner: Owner, { policyId }: Policy): Promise<Described> {
  return done<Described>(admin('getPolicy', { policyId }, owner))
}

let first: Promise<{ owner: Owner; policy: Policy; worker: Worker }> | undefined

/** The first worker of a policy that nothing is pinned for, until a test ends it. */
function firstWorker(): NonNullable<typeof first> {
  return (first ??= newOwner().then(async (owner) => {
    const policy = await newPolicy(owner, [SERVERS.everything, SERVERS.memory])
    return { owner, policy, worker: await readyWorker(policy) }
  }))
}

test('a worker brings its servers up, reports what they are, and makes signed calls', SLOW, async () => {
  const { owner, policy, worker } = await firstWorker()
  const { instanceId, servers } = await worker.health()
  expect(servers).toMatchObject([
    { slug: 'everything', state: 'ready' },
    { slug: 'memory', state: 'ready' },
  ])
  expect(await told(callWorker(worker, policy, 'everything', 'echo', { message: 'hello' }))).toBe('Echo: hello')

  await eventually(async () => (await describePolicy(owner, policy)).servers.every(({ pinned }) => pinned !== null))
  const described = await describePolicy(owner, policy)
  expect(described.servers[0]!.pinned).toEqual({
    version: '2026.8.31',
    integrity: expect.stringMatching(/^sha512-/) as unknown,
    dependencies: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
    resolvedAt: expect.any(String) as unknown,
  })
  expect(described.workers).toMatchObject([{ instanceId, live: true }])
  expect(worker.output()).not.toContain(policy.key)
})

test('SIGTERM lets a call finish, says farewell, and leaves no process', SLOW, async () => {
  const { owner, policy, worker } = await firstWorker()
  first = undefined
  const processes = descendants(worker.pid)
  expect(processes.length).toBeGreaterThanOrEqual(2)
  await eventually(async () => (await describePolicy(owner, policy)).workers.length === 1)
  const long = callEvents(worker, policy, 'everything', 'trigger-long-running-operation', { duration: 2, steps: 2 })
  // Its progress shows that the server has the call.
  expect((await long.next()).value).toHaveProperty('progress')
  worker.kill('SIGTERM')
  let last: unknown
  for await (const event of long) last = event
  expect(JSON.stringify(last)).toContain('completed')
  expect(await worker.exited).toBe(0)
  expect(processes.filter(isAlive)).toEqual([])
  expect((await describePolicy(owner, policy)).workers).toEqual([])
})

test('a change of the policy reaches a running worker, which stays the one it was', SLOW, async () => {
  const owner = await newOwner()
  const { config } = await nodeFiles({ 'web-search': WEB })
  const web = { slug: 'web-search', node: true }
  const policy = await newPolicy(owner, [web])
  const worker = await readyWorker(policy, { VITRINE_WORKER_CONFIG: config })
  const { instanceId } = await worker.health()
  const before = descendants(worker.pid)

  await done(
    admin(
      'updatePolicy',
      { policyId: policy.policyId, servers: [{ ...web, commands: ['search'] }, SERVERS.memory] },
      owner,
    ),
  )
  await eventually(async () =>
    (await worker.health()).servers.some(({ slug, state }) => slug === 'memory' && state === 'ready'),
  )
  expect(await refusal(callWorker(worker, policy, 'web-search', 'web.search', { query: 'x' }))).toBe('tool_not_found')
  expect(await refusal(callWorker(worker, policy, 'web-search', 'search', { query: 'x' }))).toBeNull()
  expect(await refusal(callWorker(worker, policy, 'memory', 'read_graph'))).toBeNull()
  expect((await worker.health()).instanceId).toBe(instanceId)
  expect(before.length).toBeGreaterThan(0)
  expect(before.every(isAlive)).toBe(true)

  await done(admin('updatePolicy', { policyId: policy.policyId, servers: [SERVERS.memory] }, owner))
  await eventually(async () => !(await worker.health()).servers.some(({ slug }) => slug === 'web-search'))
  expect(await refusal(callWorker(worker, policy, 'web-search', 'search', { query: 'x' }))).toBe('tool_not_found')
})

test(
  '[connector.dependencies] a worker with an empty cache installs by what the first one reported',
  SLOW,
  async () => {
    const owner = await newOwner()
    const policy = await newPolicy(owner, [{ ...SERVERS.memory, version: 'latest' }])
    const first = await readyWorker(policy)
    await eventually(async () => (await describePolicy(owner, policy)).servers[0]!.pinned !== null)
    const { pinned } = (await describePolicy(owner, policy)).servers[0]!
    first.kill('SIGTERM')
    await first.exited
    const cache = await mkdtemp(join(tmpdir(), 'vitrine-worker-cache-'))
    // Servers may run as separate users, who read this folder.
    await chmod(cache, 0o755)
    // The worker installs from scratch, except that npm keeps the packages it fetched before.
    await symlink(join(CACHE, 'npm'), join(cache, 'npm'))
    const second = await readyWorker(policy, { VITRINE_CACHE_DIR: cache })
    expect((await second.health()).servers).toMatchObject([
      { slug: 'memory', state: 'ready', version: pinned!.version },
    ])
    expect(await readdir(join(cache, 'packages'))).toEqual([
      `@modelcontextprotocol+server-memory@${pinned!.version}_${pinned!.dependencies.slice(0, 32)}`,
    ])
    second.kill('SIGTERM')
    await second.exited
    await rm(cache, { recursive: true })
    expect((await describePolicy(owner, policy)).servers[0]!.pinned).toEqual(pinned)
    const { entries } = await checkChain(`orgs/${owner.uid}`)
    expect(
      entries.filter(({ meta }) => meta['change'] === 'server.pin' || meta['type'] === 'pin_mismatch'),
    ).toHaveLength(1)
  },
)

test('a regenerated key ends the worker that holds the old one, and its servers with it', SLOW, async () => {
  const owner = await newOwner()
  const { config } = await nodeFiles({ 'web-search': WEB })
  const policy = await newPolicy(owner, [{ slug: 'web-search', node: true }])
  const worker = await readyWorker(policy, { VITRINE_WORKER_CONFIG: config })
  const processes = descendants(worker.pid)
  expect(processes.length).toBeGreaterThan(0)
  const { key } = await done<{ key: string }>(admin('regeneratePolicyKey', { policyId: policy.policyId }, owner))
  expect(await worker.exited).toBe(1)
  expect(worker.output()).toContain('The control plane refuses the connector key')
  expect(worker.output()).not.toContain(policy.key)
  expect(processes.filter(isAlive)).toEqual([])
  const next = await readyWorker({ ...policy, key }, { VITRINE_WORKER_CONFIG: config })
  expect(await refusal(callWorker(next, policy, 'web-search', 'search', { query: 'x' }))).toBeNull()
})

test('a worker without a key that opens anything says so and ends', SLOW, async () => {
  const policy = await newPolicy(await newOwner(), [])
  const other = await newPolicy(await newOwner(), [])
  const mixed = { policyId: policy.policyId, key: `tools.${policy.policyId}.${other.key.split('.')[2]!}` }
  const wrong = await startWorker(mixed)
  expect(await wrong.exited).toBe(1)
  expect(wrong.output()).toContain('invalid_key')
  const none = await startWorker({ ...policy, key: 'tools.nothing' })
  expect(await none.exited).toBe(1)
  expect(none.output()).toContain('VITRINE_KEY is no connector key')
})

test("a secret of the organization reaches its server's environment and nothing else", SLOW, async () => {
  const owner = await newOwner()
  const secret = newSecret()
  await done(admin('putSecret', { scope: 'org', name: 'api-key', value: secret }, owner))
  const env = [
    { name: 'API_KEY', source: 'org_secret', secret: 'api-key' },
    { name: 'OTHER', source: 'org_secret', secret: 'unset' },
  ]
  const policy = await newPinnedPolicy(owner, [
    { ...SERVERS.everything, env: env.slice(0, 1) },
    { ...SERVERS.memory, env },
  ])
  const worker = await readyWorker(policy)
  const seen = await told(callWorker(worker, policy, 'everything', 'get-env'))
  expect(JSON.parse(seen)).toMatchObject({ API_KEY: expect.stringContaining('redacted') as unknown })
  expect(seen).not.toContain(secret)
  expect(seen).not.toContain(policy.key.split('.')[2])
  expect(Object.keys(JSON.parse(seen) as object)).not.toContain('VITRINE_KEY')
  expect(worker.output()).not.toContain(secret)
  expect(await refusal(callWorker(worker, policy, 'memory', 'read_graph'))).toBe('secret_missing')

  await done(admin('putSecret', { scope: 'org', name: 'unset', value: newSecret() }, owner))
  await eventually(async () => (await refusal(callWorker(worker, policy, 'memory', 'read_graph'))) === null)
})
