import { basename, dirname } from 'node:path'
import type { CgroupFiles } from './cgroup-files.ts'
import { CONTROLLERS, hierarchiesIn, parseName, SELF } from './cgroup-plan.ts'
import { findCgroups, thisHost, type Cgroups, type CgroupHost } from './cgroups.ts'

/** Real and simulated control groups for tests. */

/** The host's control groups; null if the tests can't create any. */
export function realCgroups(): Cgroups | null {
  return findCgroups(thisHost()).cgroups
}

/** Groups that the process created for servers and that still exist. */
export function groupsOf(pid: number): string[] {
  const { mountinfo, own, files } = thisHost()
  return hierarchiesIn(mountinfo, own).flatMap(({ base }) =>
    files.list(base).filter((name) => {
      const owner = parseName(name)
      return owner?.pid === pid && owner.rest !== SELF
    }),
  )
}

export interface FakeCgroup2 extends CgroupHost {
  /** The written texts, by path. */
  texts: Map<string, string>
  procs(folder: string): number[]
  groups(): string[]
}

/**
 * A mounted hierarchy of version 2 in memory that follows the kernel's guide on processes and controllers: a group with
 * processes passes no controllers to its children. `denied` maps ends of paths that cannot be written to their errors.
 */
export function fakeCgroup2(
  options: {
    procs?: number[]
    groups?: string[]
    controllers?: readonly string[]
    denied?: Record<string, string>
  } = {},
): FakeCgroup2 {
  const { procs = [process.pid], groups = [], controllers = CONTROLLERS, denied = {} } = options
  const inside = new Map<string, Set<number>>([
    ['/cg', new Set(procs)],
    ...groups.map((name): [string, Set<number>] => [`/cg/${name}`, new Set()]),
  ])
  const texts = new Map<string, string>()
  const on = new Set<string>()
  const deny = (code: string): never => {
    throw Object.assign(new Error(code), { code })
  }
  const check = (path: string) => Object.entries(denied).forEach(([end, code]) => path.endsWith(end) && deny(code))
  const setters: Record<string, (text: string, folder: string) => void> = {
    'cgroup.subtree_control': (text) => (inside.get('/cg')!.size > 0 ? deny('EBUSY') : void on.add(text.slice(1))),
    'cgroup.procs': (text, folder) => {
      for (const set of inside.values()) set.delete(Number(text))
      inside.get(folder)!.add(Number(text))
    },
    'cgroup.kill': (_, folder) => inside.get(folder)!.clear(),
  }
  const getters: Record<string, (folder: string) => string> = {
    'cgroup.controllers': () => `cpuset ${controllers.join(' ')}\n`,
    'cgroup.subtree_control': () => `${[...on].join(' ')}\n`,
    'cgroup.procs': (folder) => [...(inside.get(folder) ?? [])].map((pid) => `${pid}\n`).join(''),
  }
  const files: CgroupFiles = {
    read: (path) => getters[basename(path)]?.(dirname(path)) ?? texts.get(path) ?? deny('ENOENT'),
    write(path, text) {
      check(path)
      const [folder, file] = [dirname(path), basename(path)]
      if (!inside.has(folder)) deny('ENOENT')
      if (setters[file]) return setters[file](text, folder)
      if (!on.has(file.split('.')[0]!)) deny('EACCES')
      texts.set(path, text)
    },
    make(path) {
      check(path)
      if (inside.has(path)) deny('EEXIST')
      inside.set(path, new Set())
    },
    remove: (path) =>
      inside.get(path)?.size === 0 ? void inside.delete(path) : deny(inside.has(path) ? 'EBUSY' : 'ENOENT'),
    list: (path) =>
      [...inside.keys()].filter((one) => dirname(one) === path && one !== path).map((one) => basename(one)),
  }
  return {
    mountinfo: '30 1 0:30 / /cg rw - cgroup2 cgroup2 rw\n',
    own: '0::/\n',
    files,
    texts,
    procs: (folder) => [...(inside.get(folder) ?? [])],
    groups: () => [...inside.keys()].filter((one) => one !== '/cg').map((one) => basename(one)),
  }
}
