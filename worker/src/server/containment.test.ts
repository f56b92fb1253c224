import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PROGRAM_FOLDERS } from '@vitrine/core/policy/program-path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { groupsOf } from './cgroup.fixture.ts'
import { isAlive, misbehaving, sealed, testPool, type TestPool } from './pool.fixture.ts'
import { userOf } from './proc.ts'
import { send } from './signals.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
const WAIT = { timeout: 20_000, interval: 50 }

let t: TestPool
/** The process of the healthy server that runs at the same time. */
let healthy: number

/** The pool of the tests of a block, in which the healthy server runs all the time. */
function useOnePool(options: Parameters<typeof testPool>[1] = {}): void {
  let groupsOfHealthy: number
  beforeAll(async () => {
    t = await testPool({}, options)
    await start()
    healthy = await t.ask<number>('healthy', 'pid')
    groupsOfHealthy = groupsOf(process.pid).length
  })
  afterEach(async () => {
    // Whatever a test did, the healthy server must have the same process and still answer; and nothing may be left of
    // the other one once the policy does not have it.
    expect(await t.ask('healthy', 'pid')).toBe(healthy)
    await start()
    await vi.waitFor(() => {
      expect(t.processes()).toEqual([healthy])
      expect(groupsOf(process.pid)).toHaveLength(groupsOfHealthy)
    }, WAIT)
    for (const list of [t.events, t.tools, t.opened]) list.length = 0
  })
  afterAll(async () => {
    await t.close()
    expect(t.processes()).toEqual([])
    expect(groupsOf(process.pid)).toEqual([])
  })
}

/** Starts servers beside the healthy one. */
async function start(...servers: Parameters<typeof misbehaving>[]): Promise<void> {
  await t.pool.apply({ servers: [misbehaving('healthy'), ...servers.map((one) => misbehaving(...one))] })
}

describe('a server gets', () => {
  useOnePool()

  test('its declared environment and nothing of the worker', async () => {
    process.env['VITRINE_TEST_LEAK'] = 'leaked'
    await start([
      'bad',
      'good',
      {
        env: [
          { name: 'GREETING', value: 'hello' },
          { name: 'FOLDER', value: '${workDir}/x' },
        ],
      },
    ])
    const env = await t.ask<Record<string, string>>('bad', 'env')
    expect(Object.keys(env).sort()).toEqual(['FOLDER', 'GREETING', 'HOME', 'PATH', 'TMPDIR', 'VITRINE_PROCESS_ID'])
    expect(env).toMatchObject({ GREETING: 'hello', FOLDER: `${env['HOME']}/x` })
    expect(readdirSync(join(t.workDir, 'bin'))).toEqual(['node'])
    delete process.env['VITRINE_TEST_LEAK']
  })

  test('the programs of its image, or those of its policy, after the node of the worker', async () => {
    const pathOf = async () => (await t.ask<{ PATH: string }>('bad', 'env')).PATH.split(':')
    const node = join(t.workDir, 'bin')
    await start(['bad'])
    expect(await pathOf()).toEqual([...new Set([node, dirname(process.execPath), ...PROGRAM_FOLDERS])])
    expect(await t.ask('bad', 'run', { program: 'ls', args: ['/'] })).toContain('proc')
    await start(['bad', 'good', { path: ['/opt/tools/bin', '/bin'] }])
    expect(await pathOf()).toEqual([node, '/opt/tools/bin', '/bin'])
    await start(['bad', 'good', { path: [] }])
    expect(await pathOf()).toEqual([node])
    expect(await t.ask('bad', 'run', { program: 'ls', args: ['/'] })).toBe('ENOENT')
    expect(await t.ask('bad', 'run', { program: 'node', args: ['-p', '6 * 7'] })).toBe('42\n')
  })

  test('a working folder of its own, which goes with it, and the same name for the next time', async () => {
    const folder = join(t.workDir, 'server-bad')
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), WAIT)
    await start(['bad'])
    expect(await t.ask('bad', 'env')).toMatchObject({ HOME: folder, TMPDIR: join(folder, 'tmp') })
    expect(await t.ask('bad', 'append-mib', { path: join(folder, 'left'), count: 1 })).toBe('ok')
    await start()
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), WAIT)
    await start(['bad'])
    expect(await t.ask('bad', 'env')).toMatchObject({ HOME: folder })
    expect(readdirSync(folder)).toEqual(['tmp'])
  })

  test('another name while its folder is there, whatever that is', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'vitrine-elsewhere-'))
    await vi.waitFor(() => expect(existsSync(join(t.workDir, 'server-bad'))).toBe(false), WAIT)
    symlinkSync(elsewhere, join(t.workDir, 'server-bad'))
    writeFileSync(join(t.workDir, 'server-bad.2'), '')
    await start(['bad'])
    expect(await t.ask('bad', 'env')).toMatchObject({ HOME: join(t.workDir, 'server-bad.3') })
    expect(readdirSync(elsewhere)).toEqual([])
    await start()
    for (const name of ['server-bad', 'server-bad.2']) unlinkSync(join(t.workDir, name))
    rmSync(elsewhere, { recursive: true })
  })

  test('no descriptor of the worker', async () => {
    const file = openSync(join(t.workDir, 'open-in-worker'), 'w')
    await start(['bad'])
    const links = await t.ask<string[]>('bad', 'fds')
    expect(
      links.filter((link) => link.startsWith('/') && !link.startsWith('/dev/') && !link.startsWith('/proc/')),
    ).toEqual([])
    expect(links.filter((link) => /^(?:socket|pipe):/.test(link)).length).toBeGreaterThanOrEqual(3)
    closeSync(file)
  })

  test('a user of its own where that is possible, so it reads neither the worker nor another server', async () => {
    await start(['bad'])
    const read = (path: string) => t.ask('bad', 'read', { path })
    expect(await read('/proc/self/environ')).toEqual(expect.any(Number))
    const expected = t.pool.containment.ownUser ? 'EACCES' : expect.any(Number)
    expect(await read(`/proc/${process.pid}/environ`)).toEqual(expected)
    expect(await read(`/proc/${healthy}/environ`)).toEqual(expected)
  })

  test('limits on files, descriptors and core dumps', async () => {
    await start(['bad'])
    const limits = await t.ask<string>('bad', 'limits')
    expect(limits).toMatch(/Max core file size +0 +0 /)
    expect(limits).toMatch(/Max open files +1024 +1024 /)
    expect(limits).toMatch(/Max file size +268435456 /)
    if (t.pool.containment.ownUser) expect(limits).toMatch(/Max processes +1024 +1024 /)
  })
})

describe('a server that', () => {
  useOnePool()

  test.each(['garbage', 'half-lines', 'slow-start'])('starts with %s works', async (mode) => {
    await start(['bad', mode])
    expect(await t.ask('bad', 'echo', { text: 'äöü€😀' })).toEqual({ text: 'äöü€😀' })
  })

  test('exits at once has failed, says why without its secrets, and is tried again', async () => {
    await start(['bad', 'exit-at-once', { env: [{ name: 'TOKEN', sealed: sealed('the-token') }] }])
    expect(t.pool.states()[1]).toMatchObject({ slug: 'bad', state: 'failed' })
    await vi.waitFor(
      () =>
        expect(t.pool.states()[1]!.error).toBe(
          'The server did not start: exited with code 3. It said: cannot start with [redacted:credential]',
        ),
      WAIT,
    )
    await vi.waitFor(() => expect(t.opened.length).toBeGreaterThan(2), WAIT)
    expect(await t.call('bad', 'echo')).toMatchObject({ ok: false, code: 'server_failed' })
    expect(t.pool.stderr('bad')).toContain('cannot start with [redacted:credential]')
  })

  test.each(['flood-garbage', 'flood-notifications', 'flood-answers'])(
    'does %s is ended, and its calls with it',
    async (command) => {
      await start(['bad'])
      const first = await t.ask<number>('bad', 'pid')
      expect(await t.call('bad', command)).toMatchObject({ ok: false, code: 'upstream_interrupted' })
      expect(t.events).toContainEqual({ slug: 'bad', type: 'crashed', detail: 'flooded its stdout' })
      expect(await t.ask('bad', 'pid')).not.toBe(first)
    },
  )

  test('floods stderr goes on working and keeps 200 short lines', async () => {
    await start(['bad'])
    await t.call('bad', 'say-on-stderr', { text: `${'y'.repeat(100_000)}\n` })
    await vi.waitFor(() => expect(t.pool.stderr('bad')).toEqual([`${'y'.repeat(2_048)}…`]), WAIT)
    await t.call('bad', 'flood-stderr')
    await vi.waitFor(() => expect(t.pool.stderr('bad').length).toBe(200), WAIT)
    expect(await t.ask('healthy', 'echo', { a: 1 })).toEqual({ a: 1 })
  })

  test('answers with a line beyond the bound is ended; one below it arrives whole', async () => {
    await start(['bad'])
    const whole = await t.call('bad', 'long-line', { bytes: 10 * 1024 * 1024 })
    expect(whole.ok && (whole.result['content'] as { text: string }[])[0]!.text.length).toBe(10 * 1024 * 1024)
    expect(await t.call('bad', 'long-line', { bytes: 12 * 1024 * 1024 })).toMatchObject({
      ok: false,
      code: 'upstream_too_large',
    })
    expect(await t.call('bad', 'long-without-end')).toMatchObject({ ok: false, code: 'upstream_too_large' })
    expect(await t.ask('bad', 'echo', {})).toEqual({})
  })

  test('writes a file beyond the bound cannot', async () => {
    await start(['bad'])
    const { HOME: folder } = await t.ask<{ HOME: string }>('bad', 'env')
    expect(await t.ask('bad', 'append-mib', { path: `${folder}/big`, count: 256 })).toBe('ok')
    expect(await t.ask('bad', 'append-mib', { path: `${folder}/big`, count: 1 })).toBe('EFBIG')
  })
})

describe.each([
  ['by cgroups where there are any', true],
  ['by the worker alone', false],
])('contained %s, a server that', (_, cgroups) => {
  const kernelLimits = (what: 'memory' | 'cpu') => t.pool.containment.cgroups?.controllers.includes(what) ?? false
  useOnePool({ cgroups })

  test('starts is in the groups before it runs', async () => {
    await start(['bad'])
    const inside = (await t.ask<string>('bad', 'cgroups')).split('\n').filter((line) => /\/vitrine-[^/]+$/.test(line))
    expect(inside.length > 0).toBe(t.pool.containment.cgroups !== null)
    // The server is in all of its groups, and the healthy server has as many.
    expect(groupsOf(process.pid)).toHaveLength(2 * inside.length)
  })

  test('has variables that mean something to node gets them as the user that it is', async () => {
    const preload = join(t.workDir, 'preload.cjs')
    writeFileSync(preload, 'console.error(`user ${process.getuid()}`)')
    await start(['bad', 'good', { env: [{ name: 'NODE_OPTIONS', value: `--require ${preload}` }] }])
    const pid = await t.ask<number>('bad', 'pid')
    expect(t.pool.stderr('bad')).toEqual([`user ${userOf(pid)}`])
    expect(userOf(pid) === process.getuid!()).toBe(!t.pool.containment.ownUser)
  })

  test('is no program of node ignores no signals', async () => {
    await start()
    void t.pool.apply({
      servers: [misbehaving('healthy'), misbehaving('sleeper', '', { executable: '/bin/sleep', args: ['600'] })],
    })
    const text = (pid: number, file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8')
    const sleeper = await vi.waitFor(() => {
      const found = t.processes().find((pid) => text(pid, 'comm') === 'sleep\n')
      expect(found).toBeDefined()
      return found!
    }, WAIT)
    expect(text(sleeper, 'status')).toMatch(/^SigBlk:\t0+\nSigIgn:\t0+$/m)
  })

  test('uses too much memory is ended', async () => {
    await start(['bad', 'good', { limits: { memoryMb: 200, cpuMillicores: 1000 } }])
    expect(await t.call('bad', 'eat-memory')).toMatchObject({ ok: false, code: 'upstream_interrupted' })
    expect(t.events).toContainEqual({ slug: 'bad', type: 'crashed', detail: 'used more than 200 MB of memory' })
  })

  test('has a child that uses too much memory is ended with it', async () => {
    await start(['bad', 'good', { limits: { memoryMb: 200, cpuMillicores: 1000 } }])
    expect(await t.call('bad', 'child-eats-memory')).toMatchObject({ ok: false, code: 'upstream_interrupted' })
    expect(t.events).toContainEqual({ slug: 'bad', type: 'crashed', detail: 'used more than 200 MB of memory' })
  })

  test('uses more than its share of the processor waits now and then, and still answers', async () => {
    await start(['bad', 'good', { limits: { memoryMb: 512, cpuMillicores: 20 } }])
    const pid = await t.ask<number>('bad', 'pid')
    const states = new Set<string>()
    const watch = setInterval(() => states.add(/\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))![1]!), 20)
    // The start uses up the processor time that it had saved.
    const ms = 1_500
    expect(await t.ask<number>('bad', 'burn', { ms })).toBeLessThan(ms * 0.6)
    clearInterval(watch)
    // If the kernel limits processor time, the worker does not pause the server as well.
    expect(states.has('T')).toBe(!kernelLimits('cpu'))
  })

  test('starts too many processes is ended with all of them', async () => {
    await start(['bad'])
    const outcome = await t.call('bad', 'spawn-children', { count: 100 })
    await vi.waitFor(
      () => expect(t.events).toContainEqual({ slug: 'bad', type: 'crashed', detail: 'started more than 64 processes' }),
      WAIT,
    )
    if (outcome.ok) {
      const pids = JSON.parse((outcome.result['content'] as { text: string }[])[0]!.text) as number[]
      await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), WAIT)
    }
  })

  test('detaches daemons without any environment takes them along when it goes', async () => {
    await start(['bad'])
    const pids = await t.ask<number[]>('bad', 'spawn-daemons', { count: 5 })
    expect(pids.every(isAlive)).toBe(true)
    await start()
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), WAIT)
  })

  test('forks and exits leaves nothing behind', async () => {
    await start(['bad'])
    expect(await t.call('bad', 'spawn-and-exit')).toMatchObject({ ok: false, code: 'upstream_interrupted' })
    await start()
    await vi.waitFor(() => expect(t.processes()).toEqual([healthy]), WAIT)
  })

  test('ignores SIGTERM is killed', async () => {
    await start(['bad', 'ignores-sigterm'])
    const pid = await t.ask<number>('bad', 'pid')
    await start()
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), WAIT)
  })
})

describe('beside another pool', () => {
  useOnePool()

  test.each([true, false])(
    'where servers cannot run as users of their own that is said, and daemons without environment are still found (cgroups: %s)',
    async (cgroups) => {
      const other = await testPool({}, { closed: true, cgroups })
      const { ownUser, missing } = other.pool.containment
      expect(ownUser).toBe(false)
      expect(missing).toContainEqual(expect.stringContaining("worker's own user"))
      if (!cgroups) expect(missing).toContainEqual(expect.stringContaining('No cgroups'))
      await other.pool.apply({ servers: [misbehaving('bad')] })
      const pids = await other.ask<number[]>('bad', 'spawn-daemons', { count: 5 })
      await other.close()
      expect(pids.filter(isAlive)).toEqual([])
    },
  )

  test('what detaches between two looks of the worker is ended through its cgroup, where there is one', async () => {
    const other = await testPool({ watchMs: 3_600_000 }, { closed: true })
    await other.pool.apply({ servers: [misbehaving('bad')] })
    const pid = await other.ask<number>('bad', 'spawn-orphan')
    expect(isAlive(pid)).toBe(true)
    await other.close()
    expect(isAlive(pid)).toBe(other.pool.containment.cgroups === null)
    send(pid, 'SIGKILL')
  })
})
