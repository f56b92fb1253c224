import { randomUUID } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { ServerLimits } from '@vitrine/core/policy/server-config'
import { KERNEL_FILES, killIn, pidsIn, PROCS, readIn, removeGroup, type CgroupFiles } from './cgroup-files.ts'
import {
  CONTROLLERS,
  hierarchiesIn,
  nameOf,
  parseName,
  ranOutOfMemory,
  SELF,
  SETTINGS,
  type Controller,
  type Hierarchy,
  type Owner,
} from './cgroup-plan.ts'
import { switchOn } from './cgroup2.ts'
import { startTimeOf } from './proc.ts'

/** The control groups of this machine in which servers can be held. */
export interface Cgroups {
  /** The controllers through which the kernel enforces limits. */
  controllers: Controller[]
  /**
   * A group for one server's process and all its descendants; null if none can be created. `id` consists of digits,
   * lower-case letters and dashes.
   */
  create(id: string, limits: ServerLimits): Group | null
  /** Kills and removes what killed workers left behind. Never rejects. */
  sweep(): Promise<void>
}

export interface Group {
  /** The controllers whose limits are set. */
  controllers: Controller[]
  /**
   * Files of the group: a process that writes `0` to each of them enters it, and so do the processes it starts later.
   */
  doors: string[]
  /** Processes in the group. */
  pids(): number[]
  /** Whether the kernel killed one of them because the group reached its limit. */
  ranOutOfMemory(): boolean
  /** Sends SIGKILL to all processes in the group. */
  kill(): void
  /** Resolves when the group is removed, or could not be emptied. */
  remove(): Promise<void>
}

/** Texts that show where the groups are, and access to their files. */
export interface CgroupHost {
  mountinfo: string
  own: string
  files: CgroupFiles
}

/** The smallest limit of each kind: a parent group may not allow more. */
const PROBED: ServerLimits = { memoryMb: 64, cpuMillicores: 1 }
const REASONS: Record<string, string> = {
  EACCES: 'not open to the worker',
  EBUSY: 'other processes share the group of the worker',
  EPERM: 'not open to the worker',
  EROFS: 'read-only',
}

/** `missing` tells the operator what no group limits. */
export function findCgroups({ mountinfo, own, files }: CgroupHost): {
  cgroups: Cgroups | null
  missing: string | null
} {
  const self = ownerOfOurs()
  const errors = new Map<Controller, unknown>()
  const usable = hierarchiesIn(mountinfo, own).flatMap((found): Hierarchy[] => {
    const switched = found.version === 1 ? found : switchOn(files, found.base, nameOf(self, SELF))
    if ('errors' in switched) switched.errors.forEach((error, one) => errors.set(one, error))
    const hierarchy = { ...found, controllers: switched.controllers }
    try {
      return [probed(hierarchy, nameOf(self, randomUUID()), files, errors)]
    } catch (error) {
      for (const one of hierarchy.controllers) errors.set(one, error)
      return []
    }
  })
  const controllers = usable.flatMap((one) => one.controllers)
  const lacking = CONTROLLERS.filter((one) => !controllers.includes(one)).map(
    (one) => `${one} (${reasonOf(errors.get(one))})`,
  )
  return {
    cgroups: usable.length === 0 ? null : cgroupsIn(usable, self, files),
    missing:
      lacking.length === 0
        ? null
        : `No cgroups for ${lacking.join(', ')}: the worker itself looks after that, a moment later than the kernel would.`,
  }
}

export function thisHost(): CgroupHost {
  return {
    mountinfo: readIn(KERNEL_FILES, '/proc/self', 'mountinfo'),
    own: readIn(KERNEL_FILES, '/proc/self', 'cgroup'),
    files: KERNEL_FILES,
  }
}

/** A host without control groups. */
export function bareHost(): CgroupHost {
  return { mountinfo: '', own: '', files: KERNEL_FILES }
}

/** The hierarchy with only those controllers that accept a limit. Throws if no group can be created. */
function probed(hierarchy: Hierarchy, name: string, files: CgroupFiles, errors: Map<Controller, unknown>): Hierarchy {
  const folder = join(hierarchy.base, name)
  files.make(folder)
  const controllers = hierarchy.controllers.filter((one) => {
    const error = limitError(files, folder, hierarchy.version, one, PROBED)
    if (error !== null) errors.set(one, error)
    return error === null
  })
  files.remove(folder)
  return { ...hierarchy, controllers }
}

function cgroupsIn(usable: Hierarchy[], self: Owner, files: CgroupFiles): Cgroups {
  const isLeftBehind = ({ pidNamespace, pid, startTime }: Owner) =>
    pidNamespace === self.pidNamespace && startTimeOf(pid) !== startTime

  return {
    controllers: usable.flatMap(({ controllers }) => controllers),
    create(id, limits) {
      const made = usable.flatMap(({ version, controllers, base }): Made[] => {
        const folder = join(base, nameOf(self, id))
        try {
          files.make(folder)
        } catch {
          return []
        }
        return [
          {
            version,
            folder,
            controllers: controllers.filter((one) => limitError(files, folder, version, one, limits) === null),
          },
        ]
      })
      return made.length === 0 ? null : groupOf(made, limits, files)
    },
    async sweep() {
      for (const { base } of usable) {
        for (const name of namesIn(files, base)) {
          const owner = parseName(name)
          if (owner === null || !isLeftBehind(owner)) continue
          const folder = join(base, name)
          // The worker's own group may have held processes that are not the worker's, so these are not killed.
          if (owner.rest !== SELF) await removeGroup(files, folder, () => killIn(files, folder))
          else if (pidsIn(files, folder).length === 0) await removeGroup(files, folder)
        }
      }
    },
  }
}

interface Made {
  version: 1 | 2
  folder: string
  controllers: Controller[]
}

function groupOf(made: Made[], limits: ServerLimits, files: CgroupFiles): Group {
  const memory = made.find(({ controllers }) => controllers.includes('memory'))
  // Version 2 if there is one. Every hierarchy has the same processes.
  const { folder } = made[0]!
  return {
    controllers: made.flatMap(({ controllers }) => controllers),
    doors: made.map((one) => join(one.folder, PROCS)),
    pids: () => pidsIn(files, folder),
    ranOutOfMemory: () =>
      memory !== undefined && ranOutOfMemory(memory.version, (file) => readIn(files, memory.folder, file), limits),
    kill: () => killIn(files, folder),
    remove: async () => {
      for (const one of made) await removeGroup(files, one.folder)
    },
  }
}

/** Writes a limit to the group's files. Returns the kernel's error, or null. */
function limitError(
  files: CgroupFiles,
  folder: string,
  version: 1 | 2,
  controller: Controller,
  limits: ServerLimits,
): unknown {
  for (const { file, value, optional } of SETTINGS[controller][version](limits)) {
    try {
      files.write(join(folder, file), value)
    } catch (error) {
      if (!optional) return error
    }
  }
  return null
}

function namesIn(files: CgroupFiles, base: string): string[] {
  try {
    return files.list(base)
  } catch {
    return []
  }
}

function ownerOfOurs(): Owner {
  const pidNamespace = Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))![0])
  return { pidNamespace, pid: process.pid, startTime: startTimeOf(process.pid)! }
}

function reasonOf(error: unknown): string {
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  return code === undefined ? 'not there' : (REASONS[code] ?? code)
}
