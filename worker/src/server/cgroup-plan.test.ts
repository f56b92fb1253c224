import { describe, expect, test } from 'vitest'
import { hierarchiesIn, nameOf, parseName, ranOutOfMemory, SETTINGS } from './cgroup-plan.ts'

const mount = (id: number, root: string, folder: string, type: string, options: string) =>
  `${id} 31 0:${id} ${root} ${folder} rw,relatime shared:9 - ${type} ${type} ${options}`
const lines = (...all: string[]) => `${all.join('\n')}\n`

const V2 = lines('22 1 8:1 / / rw - ext4 /dev/sda rw', mount(30, '/', '/sys/fs/cgroup', 'cgroup2', 'rw,nsdelegate'))
const V1 = lines(
  mount(31, '/docker/abc', '/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct'),
  mount(32, '/docker/abc', '/sys/fs/cgroup/memory', 'cgroup', 'rw,memory'),
  mount(33, '/docker/abc', '/sys/fs/cgroup/freezer', 'cgroup', 'rw,freezer'),
  mount(34, '/docker/abc', '/sys/fs/cgroup/systemd', 'cgroup', 'rw,xattr,name=systemd'),
)
const HYBRID = lines(
  mount(32, '/', '/sys/fs/cgroup/cpu', 'cgroup', 'rw,cpu'),
  mount(35, '/', '/sys/fs/cgroup/memory', 'cgroup', 'rw,memory'),
  mount(39, '/', '/sys/fs/cgroup/pids', 'cgroup', 'rw,pids'),
  mount(41, '/', '/sys/fs/cgroup/unified', 'cgroup2', 'rw'),
)
const OWN_HYBRID = lines('9:name=systemd:/', '8:pids:/', '4:memory:/work/one', '1:cpu:/', '0::/')

describe('where groups are made', () => {
  test.each([
    ['version 2', V2, '0::/system.slice/worker.service\n', [[2, [], '/sys/fs/cgroup/system.slice/worker.service']]],
    ['a container with version 2', V2, '0::/\n', [[2, [], '/sys/fs/cgroup']]],
    [
      "version 2, in the worker's own group",
      V2,
      `0::/x/${nameOf({ pidNamespace: 1, pid: 2, startTime: 3 }, 'worker')}\n`,
      [[2, [], '/sys/fs/cgroup/x']],
    ],
    [
      'a container with version 1',
      V1,
      lines(
        '12:cpu,cpuacct:/docker/abc',
        '8:memory:/docker/abc/x',
        '3:freezer:/docker/abc',
        '1:name=systemd:/docker/abc',
        '0::/',
      ),
      [
        [1, ['cpu'], '/sys/fs/cgroup/cpu,cpuacct'],
        [1, ['memory'], '/sys/fs/cgroup/memory/x'],
      ],
    ],
    [
      'both versions',
      HYBRID,
      OWN_HYBRID,
      [
        [2, [], '/sys/fs/cgroup/unified'],
        [1, ['pids'], '/sys/fs/cgroup/pids'],
        [1, ['memory'], '/sys/fs/cgroup/memory/work/one'],
        [1, ['cpu'], '/sys/fs/cgroup/cpu'],
      ],
    ],
    ['a mount of another group', V1, '8:memory:/docker/abcd\n', []],
    ['a group outside of the namespace', V2, '0::/../other\n', []],
    [
      'a folder with a space',
      lines(mount(30, '/', '/mnt/c\\040g', 'cgroup2', 'rw')),
      '0::/a:b\n',
      [[2, [], '/mnt/c g/a:b']],
    ],
    ['no groups', lines('22 1 8:1 / / rw - ext4 /dev/sda rw'), '0::/\n', []],
    ['no texts', '', '', []],
  ])('on %s', (_, mountinfo, own, expected) => {
    expect(hierarchiesIn(mountinfo, own).map(({ version, controllers, base }) => [version, controllers, base])).toEqual(
      expected,
    )
  })
})

describe('limits', () => {
  const limits = { memoryMb: 64, cpuMillicores: 250 }
  const texts = (version: 1 | 2, controller: 'memory' | 'pids' | 'cpu') =>
    SETTINGS[controller][version](limits).map(({ file, value, optional }) => `${file}${optional ? '?' : ''} ${value}`)

  test('of version 1', () => {
    expect(texts(1, 'memory')).toEqual(['memory.limit_in_bytes 67108864', 'memory.memsw.limit_in_bytes? 67108864'])
    expect(texts(1, 'pids')).toEqual(['pids.max 1024'])
    expect(texts(1, 'cpu')).toEqual([
      'cpu.cfs_period_us 1000000',
      'cpu.cfs_quota_us 250000',
      'cpu.cfs_burst_us? 250000',
    ])
  })

  test('of version 2', () => {
    expect(texts(2, 'memory')).toEqual(['memory.max 67108864', 'memory.swap.max? 0', 'memory.oom.group? 1'])
    expect(texts(2, 'pids')).toEqual(['pids.max 1024'])
    expect(texts(2, 'cpu')).toEqual(['cpu.max 250000 1000000', 'cpu.max.burst? 250000'])
  })

  test('are whole numbers that the kernel takes', () => {
    expect(SETTINGS.cpu[2]({ memoryMb: 64, cpuMillicores: 0.4 })[0]!.value).toBe('1000 1000000')
    expect(SETTINGS.cpu[2]({ memoryMb: 64, cpuMillicores: 333.3333 })[0]!.value).toBe('333333 1000000')
  })
})

describe('a server ran out of memory', () => {
  const limit = 64 * 1024 * 1024
  const v1 = (kills: number, most: number, mostWithSwap = 0) => ({
    'memory.oom_control': `oom_kill_disable 0\nunder_oom 0\noom_kill ${kills}\n`,
    'memory.max_usage_in_bytes': `${most}\n`,
    'memory.memsw.max_usage_in_bytes': `${mostWithSwap}\n`,
  })
  const v2 = (oom: number, kills: number) => ({
    'memory.events': `low 0\nhigh 0\nmax 9\noom ${oom}\noom_kill ${kills}\noom_group_kill ${kills}\n`,
  })
  test.each<[string, boolean, 1 | 2, Record<string, string>]>([
    ['ended at its limit', true, 1, v1(1, limit)],
    ['ended a little below', true, 1, v1(12, limit - 4096)],
    ['ended with what is in swap', true, 1, v1(1, limit / 2, limit)],
    ['at its limit, and nothing ended', false, 1, v1(0, limit)],
    ['ended far below its limit', false, 1, v1(1, limit / 2, limit / 2)],
    ['no files', false, 1, {}],
    ['ended at its limit', true, 2, v2(1, 1)],
    ['at its limit, and nothing ended', false, 2, v2(1, 0)],
    ['ended for others', false, 2, v2(0, 1)],
    ['no files', false, 2, {}],
  ])('%s: %s (version %i)', (_, expected, version, texts) => {
    expect(ranOutOfMemory(version, (file) => texts[file] ?? '', { memoryMb: 64, cpuMillicores: 1 })).toBe(expected)
  })
})

test('a name says whose a group is', () => {
  const owner = { pidNamespace: 4026531836, pid: 17, startTime: 123_456 }
  expect(parseName(nameOf(owner, 'ab-1'))).toEqual({ ...owner, rest: 'ab-1' })
  expect(parseName(`/sys/fs/cgroup/${nameOf(owner, 'worker')}`)).toEqual({ ...owner, rest: 'worker' })
  for (const other of [
    'vitrine',
    'vitrine-1-2-3',
    'vitrine-1-2-x-y',
    'my-vitrine-1-2-3-a',
    'vitrine-1-2-3-a/b',
    'vitrine-1-2-3-a.scope',
    '',
  ])
    expect(parseName(other)).toBeNull()
})
