import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { findCgroups, bareHost, thisHost, type Cgroups } from './cgroups.ts'

/** How far this machine lets the worker contain a server; `missing` tells the operator what it does not allow. */
export interface Containment {
  /**
   * Each process runs as its own user, so it can't read memory, environment or files of the worker or of other servers.
   */
  ownUser: boolean
  /** Path of util-linux' prlimit; null means no limits on file sizes, descriptors and core dumps. */
  prlimit: string | null
  /** Path of util-linux' setpriv; null means that a setuid program could gain privileges. */
  setpriv: string | null
  /** Each server has its own group; null means that the worker itself limits memory, processes and processor time. */
  cgroups: Cgroups | null
  missing: string[]
}

/**
 * User ids for processes: above those of people and services, below systemd's dynamic ones, and within the 65,536 of a
 * container.
 */
export const USER_FIRST = 20_000
export const USER_LAST = 59_999

/**
 * `paths` must be readable by servers; if they are not, servers can't have their own users. `cgroups` false acts like a
 * host without cgroups.
 */
export function findContainment(paths: string[], options: { cgroups: boolean }): Containment {
  const prlimit = findProgram('prlimit')
  const setpriv = findProgram('setpriv')
  const missing: string[] = []
  if (prlimit === null)
    missing.push('prlimit is not installed (util-linux): sizes of files and numbers of descriptors are not limited.')
  if (setpriv === null) missing.push('setpriv is not installed (util-linux): programs with the setuid bit keep it.')
  const obstacle = ownUserObstacle([process.execPath, ...paths])
  if (obstacle !== null) missing.push(`Servers run as the worker's own user: ${obstacle}.`)
  const groups = findCgroups(options.cgroups ? thisHost() : bareHost())
  if (groups.missing !== null) missing.push(groups.missing)
  return { ownUser: obstacle === null, prlimit, setpriv, cgroups: groups.cgroups, missing }
}

/** Finds a program in the worker's PATH. */
export function findProgram(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name)
    try {
      if (!folder.startsWith('/') || !statSync(path).isFile()) continue
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  return null
}

function ownUserObstacle(paths: string[]): string | null {
  if (process.getuid?.() !== 0) return 'the worker is not root'
  const mapped = readFileSync('/proc/self/uid_map', 'utf8')
    .trim()
    .split('\n')
    .some((line) => {
      const [first, , count] = line.trim().split(/\s+/).map(Number)
      return first! <= USER_FIRST && first! + count! > USER_LAST
    })
  if (!mapped) return 'this container has too few user ids'
  const closed = paths.find((path) => !isOpenToOthers(path))
  return closed === undefined ? null : `${closed} is closed to others`
}

/** Whether any user can reach the path. */
function isOpenToOthers(path: string): boolean {
  for (let at = realpathSync(path); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}
