import type { Group } from './cgroups.ts'
import { listProcesses, userOf, variableOf, type ProcessInfo } from './proc.ts'

/** Finds the processes of servers, however these start and detach them. */

/** The environment variable that identifies a server's processes, however they detach themselves. */
export const MARKER = 'VITRINE_PROCESS_ID'

/** A server's first process, whose descendants are tracked. */
export interface Tracked {
  /** Value of the marker. */
  id: string
  pid: number
  /** The user of this server's processes, which no other process has; null if they run as the worker's user. */
  user: number | null
  /** The cgroup of the process and its descendants; null if there is none. */
  group: Pick<Group, 'pids' | 'kill'> | null
  /** Called about every `watchMs` with the usage of all its processes together. */
  onUsage(usage: Usage): void
}

export interface Usage {
  processes: number
  cpuMs: number
  /** Sum of the resident sets; shared memory counts for each process. */
  residentBytes: number
}

export interface Tracker {
  track(tracked: Tracked): void
  /** The living processes of a server, without zombies. */
  membersOf(tracked: Tracked): ProcessInfo[]
  release(tracked: Tracked): void
  close(): void
}

const PAGE_BYTES = 4096
/** USER_HZ is 100 on all current Linux systems. */
const TICK_MS = 10

/**
 * Finds all descendants of servers. A process belongs to a server if its parent did when the process was first seen; if
 * it is in the server's cgroup, process group or session; if it runs as the server's own user; or if it has the marker.
 * It stays assigned when its parents die or it detaches. With a cgroup or an own user no process can escape. Without
 * them, a process would have to detach and drop its environment between two looks.
 */
export function createTracker({ watchMs }: { watchMs: number }): Tracker {
  const tracked = new Set<Tracked>()
  /** The server of each process, by process id and start time. */
  let owners = new Map<string, Tracked | null>()
  let timer: NodeJS.Timeout | undefined

  function look(): Map<Tracked, ProcessInfo[]> {
    const processes = new Map(listProcesses().map((info) => [info.pid, info]))
    const known = owners
    owners = new Map()
    const members = new Map<Tracked, ProcessInfo[]>()
    const grouped = new Map([...tracked].flatMap((one) => (one.group?.pids() ?? []).map((pid) => [pid, one])))

    const ownerOf = (info: ProcessInfo): Tracked | null => {
      const key = `${info.pid} ${info.startTime}`
      let owner = grouped.get(info.pid) ?? owners.get(key) ?? known.get(key)
      if (owner === undefined) {
        const parent = processes.get(info.parent)
        owner = ownOwner(info, tracked) ?? (parent && parent.pid !== process.pid ? ownerOf(parent) : null)
      }
      owners.set(key, owner)
      return owner
    }
    for (const info of processes.values()) {
      const owner = ownerOf(info)
      if (owner && tracked.has(owner) && !info.isZombie) members.set(owner, [...(members.get(owner) ?? []), info])
    }
    return members
  }

  function watch(): void {
    for (const [owner, members] of look()) {
      const sum = (field: 'residentPages' | 'cpuTicks') => members.reduce((total, member) => total + member[field], 0)
      owner.onUsage({
        processes: members.length,
        residentBytes: sum('residentPages') * PAGE_BYTES,
        cpuMs: sum('cpuTicks') * TICK_MS,
      })
    }
  }

  const stopWatching = () => {
    clearInterval(timer)
    timer = undefined
  }
  return {
    track(one) {
      tracked.add(one)
      timer ??= setInterval(watch, watchMs).unref()
    },
    membersOf: (one) => look().get(one) ?? [],
    release(one) {
      tracked.delete(one)
      if (tracked.size === 0) stopWatching()
    },
    close: stopWatching,
  }
}

/** The server that a process belongs to by its own attributes. */
function ownOwner(info: ProcessInfo, tracked: Set<Tracked>): Tracked | null {
  let user: number | null | undefined
  let marker: string | null | undefined
  for (const one of tracked) {
    if (info.pid === one.pid || info.group === one.pid || info.session === one.pid) return one
    if (one.user !== null && (user ??= userOf(info.pid)) === one.user) return one
  }
  for (const one of tracked) {
    if ((marker ??= variableOf(info.pid, MARKER)) === one.id) return one
  }
  return null
}
