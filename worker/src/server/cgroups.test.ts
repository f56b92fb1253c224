import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fakeCgroup2, groupsOf, realCgroups } from './cgroup.fixture.ts'
import { nameOf, parseName } from './cgroup-plan.ts'
import { bareHost, findCgroups, thisHost } from './cgroups.ts'
import { isAlive } from './pool.fixture.ts'
import { startTimeOf } from './proc.ts'

const LIMITS = { memoryMb: 200, cpuMillicores: 500 }
const ALL =
  'No cgroups for memory (not there), pids (not there), cpu (not there): the worker itself looks after that, a moment later than the kernel would.'
const ours = (name: string) => parseName(name)?.rest

describe('version 2', () => {
  test.each([
    ['alone in its group', [process.pid]],
    ["with a container's init", [1, process.pid]],
  ])('%s the worker moves aside, and each server gets a group with its limits', (_, procs) => {
    const host = fakeCgroup2({ procs })
    const { cgroups, missing } = findCgroups(host)
    expect(missing).toBeNull()
    expect(cgroups!.controllers).toEqual(['memory', 'pids', 'cpu'])
    expect(host.groups().map(ours)).toEqual(['worker'])
    expect(host.procs(`/cg/${host.groups()[0]}`).sort()).toEqual([...procs].sort())
    const group = cgroups!.create('one', LIMITS)!
    expect(group.controllers).toEqual(['memory', 'pids', 'cpu'])
    const folder = dirname(group.doors[0]!)
    expect(group.doors).toEqual([`/cg/${host.groups()[1]}/cgroup.procs`])
    expect(
      Object.fromEntries(
        [...host.texts]
          .filter(([path]) => path.startsWith(folder))
          .map(([path, text]) => [path.slice(folder.length + 1), text]),
      ),
    ).toEqual({
      'memory.max': '209715200',
      'memory.swap.max': '0',
      'memory.oom.group': '1',
      'pids.max': '1024',
      'cpu.max': '500000 1000000',
      'cpu.max.burst': '500000',
    })
  })

  test('once more in the same process, the worker stays where it is', () => {
    const host = fakeCgroup2()
    findCgroups(host)
    const [own] = host.groups()
    expect(findCgroups({ ...host, own: `0::/${own}\n` })).toMatchObject({
      missing: null,
      cgroups: { controllers: ['memory', 'pids', 'cpu'] },
    })
    expect(host.groups()).toEqual([own])
  })

  test('with processes of others beside it, nothing is moved for good, and groups are made for ending servers alone', () => {
    const host = fakeCgroup2({ procs: [1, 4711, process.pid] })
    const { cgroups, missing } = findCgroups(host)
    expect(missing).toMatch(/memory \(other processes share the group of the worker\), pids \(other .*\), cpu \(other/)
    expect(cgroups!.controllers).toEqual([])
    expect(host.groups()).toEqual([])
    expect(host.procs('/cg').sort()).toEqual([1, 4711, process.pid].sort())
  })

  test.each([
    ['read-only', { '': 'EROFS' }, 'memory (read-only), pids (read-only), cpu (read-only)', null],
    [
      'of others',
      { '': 'EACCES' },
      'memory (not open to the worker), pids (not open to the worker), cpu (not open to the worker)',
      null,
    ],
    ['without a limit that it takes', { 'cpu.max': 'EINVAL' }, 'cpu (EINVAL)', ['memory', 'pids']],
    [
      'without swap and bursts',
      { 'memory.swap.max': 'ENOENT', 'memory.oom.group': 'ENOENT', 'cpu.max.burst': 'ENOENT' },
      null,
      ['memory', 'pids', 'cpu'],
    ],
  ])('%s', (_, denied, said, controllers) => {
    const { cgroups, missing } = findCgroups(fakeCgroup2({ denied }))
    if (said === null) expect(missing).toBeNull()
    else expect(missing).toContain(`for ${said}:`)
    expect(cgroups?.controllers ?? null).toEqual(controllers)
  })

  test('with some controllers uses those and says what it lacks', () => {
    const { cgroups, missing } = findCgroups(fakeCgroup2({ controllers: ['memory'] }))
    expect(cgroups!.controllers).toEqual(['memory'])
    expect(missing).toContain('for pids (not there), cpu (not there):')
  })

  test('a group that takes a limit less leaves it to the worker', () => {
    const denied: Record<string, string> = {}
    const { cgroups } = findCgroups(fakeCgroup2({ denied }))
    denied['memory.max'] = 'EINVAL'
    expect(cgroups!.create('one', LIMITS)!.controllers).toEqual(['pids', 'cpu'])
    denied['-two'] = 'ENOSPC'
    expect(cgroups!.create('two', LIMITS)).toBeNull()
  })

  test('processes outside of our namespace, listed as 0, are none: a signal to 0 is one to the worker', () => {
    const host = fakeCgroup2()
    const group = findCgroups(host).cgroups!.create('one', LIMITS)!
    for (const pid of [0, 4711]) host.files.write(group.doors[0]!, String(pid))
    expect(group.pids()).toEqual([4711])
  })

  test('what dead workers left is removed, and nothing of anybody else', async () => {
    const host = fakeCgroup2()
    const { cgroups } = findCgroups(host)
    const { pidNamespace } = parseName(host.groups()[0]!)!
    const live = { pidNamespace, pid: process.pid, startTime: startTimeOf(process.pid)! }
    const dead = { ...live, startTime: live.startTime - 1 }
    const stay = [
      'someone',
      'vitrine-1-2',
      nameOf(live, 'server'),
      nameOf({ ...dead, pidNamespace: pidNamespace + 1 }, 'of-a-container'),
      nameOf(dead, 'worker'),
    ]
    for (const name of [...stay, nameOf(dead, 'server'), nameOf({ ...dead, pid: 2 ** 30 }, 'empty')])
      host.files.make(`/cg/${name}`)
    host.files.write(`/cg/${nameOf(dead, 'server')}/cgroup.procs`, '4711')
    host.files.write(`/cg/${nameOf(dead, 'worker')}/cgroup.procs`, '4712')
    const [own] = host.groups()
    await cgroups!.sweep()
    expect(host.groups()).toEqual([own, ...stay])
    expect(host.procs(`/cg/${nameOf(dead, 'worker')}`)).toEqual([4712])
  })
})

test('a host without groups says so', () => {
  expect(findCgroups(bareHost())).toEqual({ cgroups: null, missing: ALL })
})

describe.each([
  ['all that there is', true],
  ['version 1', false],
])('on this machine, of %s,', (_, withVersion2) => {
  const host = thisHost()
  const cgroups = withVersion2
    ? realCgroups()
    : findCgroups({ ...host, own: host.own.replace(/^0::.*\n/m, '') }).cgroups
  const create = () => cgroups?.create(`test-${process.hrtime.bigint()}`, LIMITS) ?? null
  /** Enters the groups, leaves two daemons without environment there, and exits. */
  const LEAVER = `
    for (const door of process.argv.slice(1)) require('node:fs').writeFileSync(door, '0')
    for (let n = 0; n < 2; n++) require('node:child_process').spawn('/bin/sleep', ['600'], { stdio: 'ignore', detached: true, env: {} }).unref()
  `

  test('what starts in a group stays there, is ended with it, and the group goes; without groups there is none', async () => {
    const group = create()
    expect(group === null).toBe(cgroups === null)
    if (!group) return
    await once(spawn(process.execPath, ['-e', LEAVER, '--', ...group.doors], { stdio: 'inherit' }), 'exit')
    const pids = group.pids()
    expect(pids).toHaveLength(2)
    expect(pids.every(isAlive)).toBe(true)
    expect(groupsOf(process.pid)).toHaveLength(group.doors.length)
    group.kill()
    await group.remove()
    expect(pids.filter(isAlive)).toEqual([])
    expect(groupsOf(process.pid)).toEqual([])
  })

  test('the kernel holds the limits that it was told', async () => {
    const group = create()
    expect(group?.controllers ?? []).toEqual(cgroups?.controllers ?? [])
    if (!group) return
    const told = (file: string) =>
      group.doors.map((door) => attempt(join(dirname(door), file))).find((text) => text !== null) ?? null
    const has = (controller: 'memory' | 'pids' | 'cpu', text: string | null) =>
      group.controllers.includes(controller) ? text : null
    expect(told('memory.max') ?? told('memory.limit_in_bytes')).toBe(has('memory', '209715200'))
    expect(told('pids.max')).toBe(has('pids', '1024'))
    expect(told('cpu.max') ?? told('cpu.cfs_quota_us')).toMatch(has('cpu', '500000') ?? '')
    expect(group.ranOutOfMemory()).toBe(false)
    await group.remove()
    expect(groupsOf(process.pid)).toEqual([])
  })

  function attempt(path: string): string | null {
    try {
      return readFileSync(path, 'utf8').trim()
    } catch {
      return null
    }
  }
})
