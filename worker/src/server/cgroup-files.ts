import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { send } from './signals.ts'

/** How control groups are reached: each is a folder, whose files are the kernel's. All throw what the kernel answers. */
export interface CgroupFiles {
  read(path: string): string
  write(path: string, text: string): void
  make(path: string): void
  remove(path: string): void
  list(path: string): string[]
}

export const KERNEL_FILES: CgroupFiles = {
  read: (path) => readFileSync(path, 'utf8'),
  write: (path, text) => writeFileSync(path, text),
  make: (path) => mkdirSync(path),
  remove: (path) => rmdirSync(path),
  list: (path) => readdirSync(path),
}

export const PROCS = 'cgroup.procs'
/** The kernel lets go of a group a moment after its last process. */
const LOOK_MS = 25
const LOOKS_MAX = 200

/** '' when it is not there. */
export function readIn(files: CgroupFiles, folder: string, file: string): string {
  try {
    return files.read(join(folder, file))
  } catch {
    return ''
  }
}

/** What is outside of our process namespace is listed as 0, which to a signal means the worker's own process group. */
export function pidsIn(files: CgroupFiles, folder: string): number[] {
  return readIn(files, folder, PROCS)
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0)
}

export function killIn(files: CgroupFiles, folder: string): void {
  try {
    files.write(join(folder, 'cgroup.kill'), '1')
  } catch {
    // Version 1, or Linux before 5.14. Stopped first, since what forks faster than it is killed would get away.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) for (const pid of pidsIn(files, folder)) send(pid, signal)
  }
}

/** Removes a group once it is empty; `prepare` is called before each attempt. Gives up after some seconds, and when it may not. */
export async function removeGroup(
  files: CgroupFiles,
  folder: string,
  prepare: () => void = () => undefined,
): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    prepare()
    try {
      return files.remove(folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') return
    }
    await sleep(LOOK_MS)
  }
}
