import { spawn } from 'node:child_process'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Process } from '../../cli/src/cli.ts'

/** The result of a command. */
export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export interface Setting {
  cwd: string
  /** The whole environment; a process has also what says where programs and compiled code are. */
  env?: Record<string, string>
  stdin?: string
}

/** What the program of a command calls with its `process`; returns the exit code. */
export type Start = (process: Process) => Promise<number>

/** Runs a command in this process, with arguments, environment, folder and streams of its own. */
export async function runHere(
  start: Start,
  args: readonly string[],
  { cwd, env = {}, stdin = '' }: Setting,
): Promise<Ended> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const printed = Promise.all([text(stdout), text(stderr)])
  const started = start({
    argv: ['node', 'command', ...args],
    env,
    cwd: () => cwd,
    stdin: Readable.from(Buffer.from(stdin), { objectMode: false }),
    stdout,
    stderr,
    exit: (code) => {
      throw new Error(`The command ends the process, with ${code}.`)
    },
  })
  const code = await started.finally(() => {
    stdout.end()
    stderr.end()
  })
  const [out, err] = await printed
  return { code, stdout: out, stderr: err }
}

/** Runs a program as a process. */
export async function runProcess(
  [program, ...args]: readonly [string, ...string[]],
  { cwd, env = {}, stdin = '' }: Setting,
): Promise<Ended> {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const child = spawn(program, args, { cwd, env: { PATH, NODE_COMPILE_CACHE, ...env } })
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve)
    child.once('error', reject)
  })
  child.stdin.on('error', () => undefined).end(stdin)
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { code, stdout, stderr }
}
