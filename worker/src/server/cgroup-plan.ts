import { dirname, join, relative } from 'node:path'
import type { ServerLimits } from '@vitrine/core/policy/server-config'
import { NPROC_MAX } from './bounds.ts'

/**
 * Decides from texts what to do with control groups (cgroups(7), proc_pid_cgroup(5), the kernel's cgroup-v1 and
 * cgroup-v2 guides).
 */

export const CONTROLLERS = ['memory', 'pids', 'cpu'] as const
export type Controller = (typeof CONTROLLERS)[number]

/** A mounted hierarchy of control groups. */
export interface Hierarchy {
  version: 1 | 2
  /** For version 1. Version 2 lists its controllers in files. */
  controllers: Controller[]
  /** The worker's own group, in which it creates others. */
  base: string
}

/**
 * `mountinfo` and `own` are the texts of /proc/self/mountinfo and /proc/self/cgroup. Version 2 comes first, because it
 * can kill a whole group at once.
 */
export function hierarchiesIn(mountinfo: string, own: string): Hierarchy[] {
  const mounts = lines(mountinfo)
    .map(parseMount)
    .filter((mount) => mount !== null)
  return lines(own)
    .flatMap((line): Hierarchy[] => {
      const [, names, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
      if (names === undefined || path === undefined) return []
      const version = names === '' ? 2 : 1
      const mount = mounts.find(
        (one) =>
          one.version === version &&
          (version === 2 || names.split(',').every((name) => one.options.includes(name))) &&
          isBelow(path, one.root),
      )
      const controllers = CONTROLLERS.filter((one) => names.split(',').includes(one))
      if (!mount || (version === 1 && controllers.length === 0)) return []
      const folder = join(mount.folder, relative(mount.root, path))
      // A worker that made room for other groups has moved into its own group there, so the base is the parent.
      return [{ version, controllers, base: parseName(folder)?.rest === SELF ? dirname(folder) : folder }]
    })
    .sort((a, b) => b.version - a.version)
}

interface Mount {
  version: 1 | 2
  /** The group at the mount's root. */
  root: string
  folder: string
  /** Options of the file system; those of version 1 name its controllers. */
  options: string[]
}

function parseMount(line: string): Mount | null {
  const [, , , root, folder, ...rest] = line.split(' ')
  const [type, , options] = rest.slice(rest.indexOf('-') + 1)
  if (root === undefined || folder === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return null
  return {
    version: type === 'cgroup' ? 1 : 2,
    root: unescaped(root),
    folder: unescaped(folder),
    options: options?.split(',') ?? [],
  }
}

function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}

/** A path with `..` belongs to a group outside the container. */
function isBelow(path: string, root: string): boolean {
  return !path.split('/').includes('..') && (root === '/' || path === root || path.startsWith(`${root}/`))
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** Values to write to a group's files, in this order. `optional` files do not exist on every machine. */
export interface Setting {
  file: string
  value: string
  optional?: true
}

/**
 * The longest period that the kernel accepts. A server may use a whole period's share at once, and what it saved in the
 * previous one.
 */
const CPU_PERIOD_US = 1_000_000
/** The smallest quota that the kernel accepts. */
const CPU_QUOTA_US_MIN = 1_000

const bytes = ({ memoryMb }: ServerLimits) => String(memoryMb * 1024 * 1024)
const quotaUs = ({ cpuMillicores }: ServerLimits) =>
  Math.max(CPU_QUOTA_US_MIN, Math.round((CPU_PERIOD_US * cpuMillicores) / 1000))
const pidsMax = (): Setting[] => [{ file: 'pids.max', value: String(NPROC_MAX) }]

/** The files that set a group's limits. */
export const SETTINGS: Record<Controller, Record<1 | 2, (limits: ServerLimits) => Setting[]>> = {
  memory: {
    1: (limits) => [
      { file: 'memory.limit_in_bytes', value: bytes(limits) },
      { file: 'memory.memsw.limit_in_bytes', value: bytes(limits), optional: true },
    ],
    2: (limits) => [
      { file: 'memory.max', value: bytes(limits) },
      { file: 'memory.swap.max', value: '0', optional: true },
      { file: 'memory.oom.group', value: '1', optional: true },
    ],
  },
  pids: { 1: pidsMax, 2: pidsMax },
  cpu: {
    1: (limits) => [
      { file: 'cpu.cfs_period_us', value: String(CPU_PERIOD_US) },
      { file: 'cpu.cfs_quota_us', value: String(quotaUs(limits)) },
      { file: 'cpu.cfs_burst_us', value: String(quotaUs(limits)), optional: true },
    ],
    2: (limits) => [
      { file: 'cpu.max', value: `${quotaUs(limits)} ${CPU_PERIOD_US}` },
      { file: 'cpu.max.burst', value: String(quotaUs(limits)), optional: true },
    ],
  },
}

/** The kernel charges memory in batches of this size, so a charge may fail this close to the limit. */
const LAST_CHARGE_BYTES = 1024 * 1024

/**
 * Whether the kernel killed a process because the group reached its own limit, and not because the machine ran out of
 * memory. `read` returns the text of one of the group's files, '' if it does not exist. (memory.failcnt of version 1
 * stays 0 in Linux 6.18.)
 */
export function ranOutOfMemory(version: 1 | 2, read: (file: string) => string, { memoryMb }: ServerLimits): boolean {
  if (version === 2) return /^oom_kill [1-9]/m.test(read('memory.events')) && /^oom [1-9]/m.test(read('memory.events'))
  const most = Math.max(
    ...['memory.max_usage_in_bytes', 'memory.memsw.max_usage_in_bytes'].map((file) => Number(read(file))),
  )
  return /^oom_kill [1-9]/m.test(read('memory.oom_control')) && most >= memoryMb * 1024 * 1024 - LAST_CHARGE_BYTES
}

/**
 * The worker that a group belongs to. A process id is valid only in its namespace; with the start time (ticks since
 * boot) it is unique.
 */
export interface Owner {
  pidNamespace: number
  pid: number
  startTime: number
}

/** Ends the name of the worker's own group. */
export const SELF = 'worker'

export function nameOf({ pidNamespace, pid, startTime }: Owner, rest: string): string {
  return `vitrine-${pidNamespace}-${pid}-${startTime}-${rest}`
}

/** null for the name (or path) of a group that no worker created. */
export function parseName(path: string): (Owner & { rest: string }) | null {
  const match = /^(?:.*\/)?vitrine-(\d+)-(\d+)-(\d+)-([\da-z-]+)$/.exec(path)
  if (!match) return null
  const [pidNamespace, pid, startTime] = match.slice(1, 4).map(Number)
  return { pidNamespace: pidNamespace!, pid: pid!, startTime: startTime!, rest: match[4]! }
}
