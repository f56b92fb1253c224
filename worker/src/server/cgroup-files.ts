import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { send } from './signals.ts'

/**
 * Access to control groups: each is a folder, and the kernel provides its files. All functions throw the kernel's
 * errors.
 */
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
/** A group can be removed only a moment after its last process has ended. */
const LOOK_MS = 25
const LOOKS_MAX = 200

/** '' if the file does not exist. */
export function readIn(files: CgroupFiles, folder: string, file: string): string {
  try {
    return files.read(join(folder, file))
  } catch {
    return ''
  }
}

/**
 * Processes outside our namespace are listed as 0, which as the target of a signal means the worker's own process
 * group.
 */
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
    // cgroup v1, or Linux before 5.14. Stop them first: a process that forks faster than it is killed would escape.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) for (const pid of pidsIn(files, folder)) send(pid, signal)
  }
}

/**
 * Removes a group once it is empty, and calls `prepare` before each attempt. Gives up after some seconds, or if not
 * permitted.
 */
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
