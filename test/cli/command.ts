import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import { ROOT } from '../../scripts/stack/paths.ts'

/** The result of a command. */
export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export interface Setting {
  cwd: string
  /** The whole environment, apart from where programs and compiled code are. */
  env?: Record<string, string>
  stdin?: string
}

/** Runs the built `vitrine` as a process. */
export function vitrine(args: readonly string[], setting: Setting): Promise<Ended> {
  return runNode(join(ROOT, 'cli/bin/vitrine.js'), args, setting)
}

/** Runs the built `vitrine-verify` as a process. */
export function vitrineVerify(args: readonly string[], setting: Setting): Promise<Ended> {
  return runNode(join(ROOT, 'verify/dist/cli.js'), args, setting)
}

async function runNode(
  script: string,
  args: readonly string[],
  { cwd, env = {}, stdin = '' }: Setting,
): Promise<Ended> {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const child = spawn(process.execPath, [script, ...args], { cwd, env: { PATH, NODE_COMPILE_CACHE, ...env } })
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve)
    child.once('error', reject)
  })
  child.stdin.on('error', () => undefined).end(stdin)
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { code, stdout, stderr }
}
