import { open, readFile, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { startTimeOf } from '../server/proc.ts'

/** A lock file among the processes of one machine. */

const RETRY_MS = 100

/**
 * Lets one process of this machine at a time do `work`, and takes over the lock of a process that died. It only saves
 * duplicate work: on a shared volume, two processes can each consider the other's lock abandoned, and then both work,
 * which `work` must tolerate.
 */
export async function withLock<T>(path: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  while (!(await acquire(path))) {
    if (await isAbandoned(path)) await rm(path, { force: true })
    else await sleep(RETRY_MS, undefined, { signal })
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

async function acquire(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(`${process.pid} ${startTimeOf(process.pid)}`)
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Process ids are reused, but never with the same start time. */
async function isAbandoned(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => null)
  // Released since then, or not written yet: look again.
  if (text === null || text === '') return false
  const [pid, start] = text.split(' ').map(Number)
  return startTimeOf(pid!) !== start
}
