import { join } from 'node:path'
import { ROOT } from '../../scripts/stack/paths.ts'
import { runHere, runProcess, type Ended, type Setting, type Start } from '../support/command.ts'

/** The commands as they are built, in this process or in one of their own. */

const VITRINE = join(ROOT, 'cli/bin/vitrine.js')
const VERIFY = join(ROOT, 'verify/bin/vitrine-verify.js')

/** Runs `vitrine` in this process. */
export async function vitrine(args: readonly string[], setting: Setting): Promise<Ended> {
  return runHere(await startOf('cli/dist/cli.js'), args, setting)
}

/** Runs `vitrine-verify` in this process. */
export async function vitrineVerify(args: readonly string[], setting: Setting): Promise<Ended> {
  return runHere(await startOf('verify/dist/cli.js'), args, setting)
}

/** Runs `vitrine` as a process, with the Node that runs this unless another one is named. */
export function vitrineProcess(args: readonly string[], setting: Setting, node = process.execPath): Promise<Ended> {
  return runProcess([node, VITRINE, ...args], setting)
}

/** Runs `vitrine-verify` as a process, with the Node that runs this unless another one is named. */
export function verifyProcess(args: readonly string[], setting: Setting, node = process.execPath): Promise<Ended> {
  return runProcess([node, VERIFY, ...args], setting)
}

async function startOf(file: string): Promise<Start> {
  return ((await import(join(ROOT, file))) as { start: Start }).start
}
