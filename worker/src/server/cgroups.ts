import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerLimits } from '@vitrine/core/policy'
import { CONTROLLERS, hierarchiesIn, nameOf, parseName, ranOutOfMemory, SELF, SETTINGS, type Controller, type Hierarchy, type Owner } from './cgroup-plan.ts'
import { startTimeOf } from './proc.ts'
import { send } from './signals.ts'

/** The control groups of this machine that servers can be held in. */
export interface Cgroups {
  /** What the kernel limits through them. */
  controllers: Controller[]
  /** A group for one server's process and all that it starts; null when none could be made. `id` is of digits, lower-case letters and dashes. */
  create(id: string, limits: ServerLimits): Group | null
  /** Ends and removes what workers left behind that were killed. */
  sweep(): Promise<void>
}

export interface Group {
  /** The limits that it has been told. */
  controllers: Controller[]
  /** Files: a process that writes `0` to each of them is inside, and what it starts from then on. */
  doors: string[]
  /** Processes inside. */
  pids(): number[]
  /** The kernel ended one of them because the group came to its limit. */
  ranOutOfMemory(): boolean
  /** Sends SIGKILL to all that are inside. */
  kill(): void
  /** Once it is empty. */
  remove(): Promise<void>
}

/** Where the groups are found, as texts, and how they are reached. */
export interface CgroupHost {
  mountinfo: string
  own: string
  files: {
    read(path: string): string
    write(path: string, text: string): void
    make(path: string): void
    remove(path: string): void
    list(path: string): string[]
  }
}

/** The kernel lets go of a group a moment after its last process. */
const LOOK_MS = 25
const LOOKS_MAX = 200
/** The smallest of each: a group above may allow no more. */
const PROBED: ServerLimits = { memoryMb: 64, cpuMillicores: 1 }
const REASONS: Record<string, string> = {
  EACCES: 'is not open to the worker', EBUSY: 'is closed while other processes share the group of the worker', EPERM: 'is not open to the worker', EROFS: 'is read-only',
}

/** `missing` says in words for the operator what is not limited by a group. */
export function findCgroups(host: CgroupHost): { cgroups: Cgroups | null; missing: string | null } {
  const { files } = host
  const self: Owner = { pidNamespace: pidNamespace(), pid: process.pid, startTime: startTimeOf(process.pid)! }
  const reasons = new Map<Controller, string>(CONTROLLERS.map((one) => [one, 'is not there']))
  const usable = hierarchiesIn(host.mountinfo, host.own).flatMap((found): Hierarchy[] => {
    const note = (controllers: readonly Controller[], error: unknown) => controllers.forEach((one) => reasons.set(one, reasonOf(error)))
    const hierarchy = found.version === 1 ? found : { ...found, controllers: switchedOn(files, found.base, nameOf(self, SELF), note) }
    try {
      const folder = join(hierarchy.base, nameOf(self, randomUUID()))
      files.make(folder)
      const controllers = hierarchy.controllers.filter((one) => setLimit(files, folder, hierarchy.version, one, PROBED, (error) => note([one], error)))
      files.remove(folder)
      return [{ ...hierarchy, controllers }]
    } catch (error) {
      note(hierarchy.controllers, error)
      return []
    }
  })
  const controllers = usable.flatMap((one) => one.controllers)
  const lacking = CONTROLLERS.filter((one) => !controllers.includes(one)).map((one) => `${one} (${reasons.get(one)})`)
  return {
    cgroups: usable.length === 0 ? null : cgroupsIn(usable, self, files),
    missing: lacking.length === 0 ? null : `The worker itself looks after what cgroups would limit at once: ${lacking.join(', ')}.`,
  }
}

const FILES: CgroupHost['files'] = {
  read: (path) => readFileSync(path, 'utf8'),
  write: (path, text) => writeFileSync(path, text),
  make: (path) => mkdirSync(path),
  remove: (path) => rmdirSync(path),
  list: (path) => readdirSync(path),
}

/** As /proc and the mounted file systems are. */
export function thisHost(): CgroupHost {
  return { mountinfo: FILES.read('/proc/self/mountinfo'), own: FILES.read('/proc/self/cgroup'), files: FILES }
}

/** One without any control groups. */
export function noHost(): CgroupHost {
  return { mountinfo: '', own: '', files: FILES }
}

function cgroupsIn(usable: Hierarchy[], self: Owner, files: CgroupHost['files']): Cgroups {
  return {
    controllers: usable.flatMap(({ controllers }) => controllers),
    create(id, limits) {
      const made = usable.flatMap(({ version, controllers, base }) => {
        const folder = join(base, nameOf(self, id))
        try {
          files.make(folder)
        } catch {
          return []
        }
        return [{ version, folder, controllers: controllers.filter((one) => setLimit(files, folder, version, one, limits)) }]
      })
      return made.length === 0 ? null : groupOf(made, limits, files)
    },
    async sweep() {
      for (const { base } of usable) {
        for (const name of files.list(base)) {
          const owner = parseName(name)
          if (owner?.pidNamespace !== self.pidNamespace || startTimeOf(owner.pid) === owner.startTime) continue
          await removeGroup(files, join(base, name), owner.rest === SELF ? 'once' : 'killing')
        }
      }
    },
  }
}

function groupOf(made: { version: 1 | 2; folder: string; controllers: Controller[] }[], limits: ServerLimits, files: CgroupHost['files']): Group {
  const memory = made.find(({ controllers }) => controllers.includes('memory'))
  const { folder } = made[0]!
  return {
    controllers: made.flatMap(({ controllers }) => controllers),
    doors: made.map((one) => join(one.folder, PROCS)),
    pids: () => pidsIn(files, folder),
    ranOutOfMemory: () => memory !== undefined && ranOutOfMemory(memory.version, (file) => readIn(files, memory.folder, file), limits),
    kill: () => killIn(files, folder),
    remove: async () => {
      for (const one of made) await removeGroup(files, one.folder, 'waiting')
    },
  }
}

const PROCS = 'cgroup.procs'

/** Writes what the kernel needs for a limit; whether it took it. */
function setLimit(files: CgroupHost['files'], folder: string, version: 1 | 2, controller: Controller, limits: ServerLimits, onError?: (error: unknown) => void): boolean {
  for (const { file, value, optional } of SETTINGS[controller][version](limits)) {
    try {
      files.write(join(folder, file), value)
    } catch (error) {
      if (optional) continue
      onError?.(error)
      return false
    }
  }
  return true
}

/**
 * The controllers of version 2 that groups below `base` have, after switching on what is off. That is refused while processes are in `base` itself
 * (cgroup-v2 guide, "No Internal Process Constraint"), so the worker moves into a group of its own, and with it a container's init. Processes
 * of others stay where they are.
 */
function switchedOn(files: CgroupHost['files'], base: string, ownName: string, note: (controllers: readonly Controller[], error: unknown) => void): Controller[] {
  const listed = (file: string) => CONTROLLERS.filter((one) => readIn(files, base, file).trim().split(/\s+/).includes(one))
  const isRefused = () => listed('cgroup.controllers').filter((one) => !listed('cgroup.subtree_control').includes(one)).filter((one) => {
    try {
      files.write(join(base, 'cgroup.subtree_control'), `+${one}`)
      return false
    } catch (error) {
      note([one], error)
      return true
    }
  }).length > 0
  const own = join(base, ownName)
  const inside = pidsIn(files, base).filter((pid) => pid === process.pid || pid === 1)
  if (isRefused() && inside.includes(process.pid)) {
    try {
      files.make(own)
      for (const pid of inside) files.write(join(own, PROCS), String(pid))
      if (isRefused() && listed('cgroup.subtree_control').length === 0) moveBack(files, base, own)
    } catch (error) {
      note(listed('cgroup.controllers'), error)
    }
  }
  return listed('cgroup.subtree_control')
}

function moveBack(files: CgroupHost['files'], base: string, own: string): void {
  for (const pid of pidsIn(files, own)) files.write(join(base, PROCS), String(pid))
  files.remove(own)
}

/** Removes a group when it is empty: `once` tries now alone, `waiting` until it is so, `killing` sees to it. */
async function removeGroup(files: CgroupHost['files'], folder: string, how: 'once' | 'waiting' | 'killing'): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    if (how === 'killing') killIn(files, folder)
    try {
      return files.remove(folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || how === 'once') return
    }
    await sleep(LOOK_MS)
  }
}

function killIn(files: CgroupHost['files'], folder: string): void {
  try {
    return files.write(join(folder, 'cgroup.kill'), '1')
  } catch {
    // Version 1, or Linux before 5.14. Stopped first, since what forks faster than it is killed would get away.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) for (const pid of pidsIn(files, folder)) send(pid, signal)
  }
}

/** What is outside of our process namespace is listed as 0, which to a signal means the worker's own process group. */
function pidsIn(files: CgroupHost['files'], folder: string): number[] {
  return readIn(files, folder, PROCS).split('\n').map(Number).filter((pid) => pid > 0)
}

/** '' when it is not there. */
function readIn(files: CgroupHost['files'], folder: string, file: string): string {
  try {
    return files.read(join(folder, file))
  } catch {
    return ''
  }
}

function pidNamespace(): number {
  return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))![0])
}

function reasonOf(error: unknown): string {
  const { code = 'unknown' } = error as NodeJS.ErrnoException
  return REASONS[code] ?? `answers ${code}`
}
