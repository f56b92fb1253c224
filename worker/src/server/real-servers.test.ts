import { chmod, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { lockfileDigest, type Pin } from '@vitrine/core/policy/pin'
import type { WorkerPackageServer } from '@vitrine/core/policy/worker-protocol'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { ExecutableServer, Pool, ServerTools } from './api.ts'
import { createPool } from './pool.ts'
import { misbehaving, textOf } from './pool.fixture.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
const WAIT = { timeout: 20_000, interval: 50 }

let base: string
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'vitrine-real-'))
  await chmod(base, 0o755)
  // The package is installed again, from npm's cache (which test/worker/world.ts uses too).
  const fetched = join(import.meta.dirname, '../../../.cache/worker-tests/npm')
  for (const folder of [fetched, join(base, 'cache')]) await mkdir(folder, { recursive: true })
  await symlink(fetched, join(base, 'cache/npm'))
  vi.stubEnv('npm_config_prefer_offline', 'true')
})
afterAll(() => rm(base, { recursive: true }))

async function withPool(name: string, work: (pool: Pool, tools: ServerTools[]) => Promise<void>): Promise<void> {
  const tools: ServerTools[] = []
  const pool = createPool({
    policyId: 'pol_test',
    workDir: join(base, name),
    cacheDir: join(base, 'cache'),
    open: async () => ({ ok: true, value: '' }),
    lockfile: async () => ({ ok: true, value: '{}' }),
    onEvent: () => undefined,
    onListed: (told) => void tools.push(told),
  })
  await work(pool, tools).finally(() => pool.close())
}

/** One of the servers among the development dependencies, run in place. */
function local(slug: string, name: string, more: Partial<ExecutableServer> = {}): ExecutableServer {
  const manifest = createRequire(import.meta.url).resolve(`@modelcontextprotocol/${name}/package.json`)
  const { args = [], ...rest } = more
  return misbehaving(slug, '', { ...rest, args: [join(dirname(manifest), 'dist', 'index.js'), ...args] })
}

const caller =
  (pool: Pool) =>
  (server: string, command: string, args = {}) =>
    pool.call({ server, command, arguments: args, signal: new AbortController().signal })

test('servers of npm work side by side, each in a folder of its own', async () => {
  await withPool('local', async (pool, tools) => {
    await pool.apply({
      servers: [
        local('everything', 'server-everything'),
        local('memory', 'server-memory', { env: [{ name: 'MEMORY_FILE_PATH', value: '${workDir}/memory.jsonl' }] }),
        local('files', 'server-filesystem', { args: ['.'] }),
      ],
    })
    expect(pool.states().map(({ state }) => state)).toEqual(['ready', 'ready', 'ready'])
    expect(tools.map(({ slug }) => slug)).toEqual(expect.arrayContaining(['everything', 'memory', 'files']))
    const call = caller(pool)
    expect(await call('everything', 'echo', { message: 'hello' })).toEqual({
      ok: true,
      result: { content: [{ type: 'text', text: 'Echo: hello' }] },
    })
    const entities = [{ name: 'a', entityType: 'b', observations: ['c'] }]
    expect(textOf(await call('memory', 'create_entities', { entities }))).toEqual(entities)
    expect(await call('files', 'write_file', { path: 'a.txt', content: 'hi' })).toMatchObject({ ok: true })
    expect(await call('files', 'read_text_file', { path: 'a.txt' })).toMatchObject({
      ok: true,
      result: { content: [{ type: 'text', text: 'hi' }] },
    })
    expect(await call('files', 'read_text_file', { path: '/etc/hostname' })).toMatchObject({
      ok: true,
      result: { isError: true },
    })
  })
})

test('what a server keeps where the policy says is there when it has started again, maybe as another user', async () => {
  const folder = await mkdtemp(join(base, 'kept-'))
  await chmod(folder, 0o777)
  const memory = local('memory', 'server-memory', {
    env: [{ name: 'MEMORY_FILE_PATH', value: join(folder, 'memory.jsonl') }],
  })
  await withPool('kept', async (pool) => {
    await pool.apply({ servers: [memory] })
    const entities = ['a', 'b'].map((name) => ({ name, entityType: 'letter', observations: ['c'] }))
    for (const one of entities) {
      await pool.apply({ servers: [memory] })
      expect(textOf(await caller(pool)('memory', 'create_entities', { entities: [one] }))).toEqual([one])
      await pool.apply({ servers: [] })
    }
    await pool.apply({ servers: [memory] })
    expect(textOf(await caller(pool)('memory', 'read_graph'))).toEqual({ entities, relations: [] })
  })
})

test('a server is installed from npm, and once installed and pinned needs no network', async () => {
  const server: WorkerPackageServer = {
    slug: 'memory',
    package: '@modelcontextprotocol/server-memory',
    version: 'latest',
    pinned: null,
    args: [],
    commands: null,
    enabled: true,
    env: [{ name: 'MEMORY_FILE_PATH', value: '${workDir}/memory.jsonl' }],
    healthCheck: { intervalSeconds: 60, timeoutSeconds: 10, method: 'tools/list' },
    limits: { memoryMb: 256, cpuMillicores: 1000 },
  }
  let pinned: Pin | null = null
  await withPool('online', async (pool, tools) => {
    await pool.apply({ servers: [server] })
    expect(pool.states()).toEqual([
      { slug: 'memory', state: 'ready', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string },
    ])
    pinned = tools[0]!.pin
    const before = textOf(await caller(pool)('memory', 'read_graph'))
    // The control plane pins what was reported, which must change nothing here.
    await pool.apply({ servers: [{ ...server, pinned }] })
    expect(textOf(await caller(pool)('memory', 'read_graph'))).toEqual(before)
    expect(tools).toHaveLength(1)
    expect(lockfileDigest(tools[0]!.lockfile!)).toBe(pinned!.dependencies)
    // Other dependencies make it another server.
    await pool.apply({ servers: [{ ...server, pinned: { ...pinned!, dependencies: 'b'.repeat(64) } }] })
    await vi.waitFor(() => expect(pool.states()).toMatchObject([{ state: 'failed' }]), WAIT)
    await pool.apply({ servers: [{ ...server, pinned }] })
    expect(pool.states()).toMatchObject([{ state: 'ready' }])
    // Only a new pin is reported with its lockfile.
    expect(tools.slice(1)).toEqual([{ slug: 'memory', pin: pinned, tools: tools[0]!.tools }])
  })
  vi.stubEnv('npm_config_registry', 'http://127.0.0.1:1/')
  await withPool('offline', async (pool) => {
    await pool.apply({
      servers: [
        { ...server, pinned },
        { ...server, slug: 'other', pinned: { ...pinned!, integrity: `sha512-${'A'.repeat(86)}==` } },
      ],
    })
    expect(textOf(await caller(pool)('memory', 'read_graph'))).toEqual({ entities: [], relations: [] })
    // The pool tries it again from time to time.
    await vi.waitFor(
      () =>
        expect(pool.states()[1]).toMatchObject({
          state: 'failed',
          error: expect.stringContaining('its integrity differs') as string,
        }),
      WAIT,
    )
  })
  vi.unstubAllEnvs()
})
