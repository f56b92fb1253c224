import { readdirSync, readFileSync } from 'node:fs'

/** What /proc says about a process (proc_pid_stat(5)). */
export interface ProcessInfo {
  pid: number
  parent: number
  group: number
  session: number
  /** Clock ticks since boot. Process id and start time together identify a process for good. */
  startTime: number
  /** Processor time of the process and of children that it waited for, in clock ticks. */
  cpuTicks: number
  /** Resident set, in pages. */
  residentPages: number
  isZombie: boolean
}

/** Every process of the machine (or container). Reading /proc does not block, because it is in memory. */
export function listProcesses(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((info) => info !== null)
}

/** null if there is no such process. */
export function readProcess(pid: number): ProcessInfo | null {
  const text = readOrNull(`/proc/${pid}/stat`)
  if (text === null) return null
  // The second field is the name, in parentheses, and may itself hold parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  const cpuTicks = field(14) + field(15) + field(16) + field(17)
  return {
    pid,
    isZombie: fields[0] === 'Z',
    parent: field(4),
    group: field(5),
    session: field(6),
    startTime: field(22),
    cpuTicks,
    residentPages: field(24),
  }
}

/** null if there is no such process, or if it has ended and is a zombie. */
export function startTimeOf(pid: number): number | null {
  const info = readProcess(pid)
  return info === null || info.isZombie ? null : info.startTime
}

/** A variable of the environment that the process was started with; null if it does not exist or may not be read. */
export function variableOf(pid: number, name: string): string | null {
  const found = readOrNull(`/proc/${pid}/environ`)
    ?.split('\0')
    .find((entry) => entry.startsWith(`${name}=`))
  return found === undefined ? null : found.slice(name.length + 1)
}

/**
 * The user that it runs as; null if there is no such process. (The owner of its folder in /proc differs if it is not
 * dumpable.)
 */
export function userOf(pid: number): number | null {
  const user = /^Uid:\t(\d+)/m.exec(readOrNull(`/proc/${pid}/status`) ?? '')?.[1]
  return user === undefined ? null : Number(user)
}

/** Node reads a file as UTF-8 in one step; for other encodings it takes a buffer of 64 KiB for each file in /proc. */
function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
