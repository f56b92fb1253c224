import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/**
 * Claims a stack's folder for this process; the result gives it back. A claim whose process is gone, or is another program
 * that got the same number since, does not count. Errors: a stack runs there already.
 */
export async function lockDir(dir: string): Promise<() => Promise<void>> {
  const file = join(dir, 'pid')
  const unlock = (): Promise<void> => rm(file, { force: true })
  if (await claim(file)) return unlock
  const pid = Number(await readFile(file, 'utf8').catch(() => ''))
  if (pid !== process.pid && (await isStack(pid))) {
    throw new Error(
      `A stack is running already (process ${pid}, state in ${dir}): use it, stop it, or start another with --dir and other ports.`,
    )
  }
  await unlock()
  if (await claim(file)) return unlock
  throw new Error(`Another stack is just starting in ${dir}.`)
}

async function claim(file: string): Promise<boolean> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function isStack(pid: number): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  return (await commandLine(pid)).includes('start.ts')
}

/** Empty when there is no such process. */
async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return promisify(execFile)('ps', ['-o', 'args=', '-p', String(pid)]).then(
    ({ stdout }) => stdout,
    () => '',
  )
}
