import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServerEvent } from '@vitrine/core/policy/worker-protocol'
import type { CallOutcome, ExecutableServer, Pool, PoolCall, ServerTools } from './api.ts'
import type { PoolLimits } from './bounds.ts'
import { createPool } from './pool.ts'
import { listProcesses, readProcess, variableOf } from './proc.ts'
import { withoutTypes } from './stripped.fixture.ts'

/** Pools and misbehaving servers for tests. */

const MISBEHAVING = withoutTypes(join(import.meta.dirname, 'misbehaving.fixture.ts'))

/** A server that runs the misbehaving fixture. */
export function misbehaving(slug: string, mode = 'good', more: Partial<ExecutableServer> = {}): ExecutableServer {
  return {
    slug,
    executable: 'node',
    args: [MISBEHAVING, mode],
    env: [],
    commands: null,
    enabled: true,
    healthCheck: { intervalSeconds: 3600, timeoutSeconds: 10, method: 'ping' },
    limits: { memoryMb: 512, cpuMillicores: 1000 },
    ...more,
  }
}

export interface TestPool {
  pool: Pool
  workDir: string
  events: ServerEvent[]
  tools: ServerTools[]
  /** The secrets that `open` was called with, in order. */
  opened: string[]
  call(server: string, command: string, args?: PoolCall['arguments'], more?: Partial<PoolCall>): Promise<CallOutcome>
  /** The JSON in the first text of a result. Throws if there is none. */
  ask<T>(server: string, command: string, args?: PoolCall['arguments'], more?: Partial<PoolCall>): Promise<T>
  /** Living processes of this pool. */
  processes(): number[]
  close(): Promise<void>
}

/**
 * A pool in its own folders; the secret `{enc}` opens to `value of {enc}`. In a closed folder, servers cannot run as
 * their own users; without cgroups, the worker enforces their limits.
 */
export async function testPool(
  limits: Partial<PoolLimits> = {},
  { closed = false, cgroups = true } = {},
): Promise<TestPool> {
  const base = await mkdtemp(join(tmpdir(), 'vitrine-pool-'))
  await chmod(base, closed ? 0o700 : 0o755)
  const workDir = join(base, 'work')
  const [events, tools, opened]: [ServerEvent[], ServerTools[], string[]] = [[], [], []]
  const pool = createPool({
    policyId: 'pol_test',
    workDir,
    cacheDir: join(base, 'cache'),
    cgroups,
    lockfile: async () => ({ ok: false, error: { code: 'server_not_found' } }),
    onEvent: (event) => void events.push(event),
    onListed: (told) => void tools.push(told),
    open: async (sealed) => {
      const name = 'enc' in sealed ? sealed.enc : ''
      opened.push(name)
      return { ok: true, value: `value of ${name}` }
    },
    limits: { graceMs: 1_000, backoffMs: 50, backoffMsMax: 200, watchMs: 50, ...limits },
  })
  const call: TestPool['call'] = (server, command, args = {}, more = {}) =>
    pool.call({ server, command, arguments: args, signal: new AbortController().signal, ...more })
  return {
    pool,
    workDir,
    events,
    tools,
    opened,
    call,
    ask: async (...request) => textOf(await call(...request)),
    processes: () =>
      listProcesses()
        .filter(({ pid, isZombie }) => !isZombie && variableOf(pid, 'HOME')?.startsWith(workDir))
        .map(({ pid }) => pid),
    async close() {
      await pool.close()
      await rm(base, { recursive: true, force: true })
    },
  }
}

export function textOf<T>(outcome: CallOutcome): T {
  if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.message}`)
  const [first] = outcome.result['content'] as { text: string }[]
  return JSON.parse(first!.text) as T
}

export function sealed(enc: string): { enc: string; kmsKey: string; resource: string } {
  return { enc, kmsKey: 'key', resource: 'resource' }
}

export function isAlive(pid: number): boolean {
  const info = readProcess(pid)
  return info !== null && !info.isZombie
}
