import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StackInfo } from '../../scripts/stack/info.ts'
import { ROOT } from '../../scripts/stack/paths.ts'
import { freePorts } from '../../scripts/stack/ports.ts'

/** `npm start` as a process, on free ports. */
export interface Cli {
  pid: number
  ports: number[]
  stdout(): string
  stderr(): string
  /** Waits for stack.json. Errors: the process ended before. */
  ready(): Promise<StackInfo>
  exited: Promise<number | NodeJS.Signals>
}

const FLAGS = ['--port-functions', '--port-firestore', '--port-auth', '--port-kms', '--port-demo-api']

export async function startCli(
  dir: string,
  { ports, env }: { ports?: number[]; env?: NodeJS.ProcessEnv } = {},
): Promise<Cli> {
  const chosen = ports ?? (await freePorts(FLAGS.length))
  const flags = FLAGS.flatMap((flag, i) => [flag, String(chosen[i])])
  const child = spawn(process.execPath, [join(ROOT, 'scripts/start.ts'), '--dir', dir, ...flags], {
    env: { ...process.env, npm_config_prefer_offline: 'true', ...env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const exited = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal!)),
  )
  const file = join(dir, 'stack.json')
  return {
    pid: child.pid!,
    ports: chosen,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    async ready() {
      await until(() => stdout.includes('Vitrine runs.') || child.exitCode !== null)
      if (!existsSync(file)) throw new Error(`npm start ended: ${stderr}`)
      return JSON.parse(readFileSync(file, 'utf8')) as StackInfo
    },
  }
}

/** All processes below `pid`, from /proc. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      // The name in parentheses may contain anything; the state and the parent follow it.
      parents.set(Number(name), Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]))
    } catch {
      // The process ended in the meantime.
    }
  }
  const below = (parent: number): number[] =>
    [...parents].filter(([, of]) => of === parent).flatMap(([child]) => [child, ...below(child)])
  return below(pid)
}

/** Empty if the process has ended. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

export function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Resolves when the condition holds; the test's own timeout bounds it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50))
}
