import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** One process of the stack, with everything that it starts itself. */
export interface Child {
  name: string
  pid: number
  /** Resolves with the exit code or the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>
  /** Sends a signal to the process and all its descendants. */
  kill(signal: NodeJS.Signals): void
  /** SIGTERM, then SIGKILL after a grace period. Resolves when it is gone. */
  stop(): Promise<void>
}

export interface ChildOptions {
  name: string
  command: string
  args: readonly string[]
  cwd: string
  env: NodeJS.ProcessEnv
  /** Gets stdout and stderr. */
  logFile: string
  /** Resolves to false as long as the process does not serve yet. */
  isReady: () => Promise<boolean>
  /** Called before the process is started again because it ended by itself; without it, that breaks the stack. */
  onRestart?: (line: string) => void
  /** Called instead of either when it ended by itself: the stack goes on without it. */
  onEnd?: (line: string) => void
}

const READY_MS_MAX = 60_000
const GRACE_MS = 8_000

/**
 * The shell waits beside the process for the end of a pipe that only the parent holds, and then kills the group: so nothing
 * outlives a parent that was killed without a chance to clean up.
 */
const GUARD = '(cat >/dev/null; kill -KILL 0) <&3 & exec "$@" 3<&-'

/** Starts a process in a group of its own. */
export function startChild(options: Omit<ChildOptions, 'isReady'>): Child {
  const { name, command, args, cwd, env, logFile } = options
  mkdirSync(dirname(logFile), { recursive: true })
  const log = openSync(logFile, 'w')
  const child = spawn('/bin/sh', ['-c', GUARD, 'sh', command, ...args], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
  })
  closeSync(log)
  const { pid } = child
  if (pid === undefined) throw new Error(`${name} cannot be started: /bin/sh is missing`)
  const guard = child.stdio[3]!
  guard.on('error', () => {})
  const kill = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal)
    } catch {
      // The group is gone already.
    }
  }
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => {
      kill('SIGKILL')
      guard.destroy()
      resolve(code ?? signal ?? 1)
    })
  })
  return {
    name,
    pid,
    exited,
    kill,
    async stop() {
      kill('SIGTERM')
      const timer = setTimeout(() => kill('SIGKILL'), GRACE_MS)
      await exited
      clearTimeout(timer)
    },
  }
}

/** Resolves when the process serves. Errors: it ended before, or takes too long; the message quotes the end of its log. */
export async function untilReady(
  child: Child,
  { logFile, isReady }: Pick<ChildOptions, 'logFile' | 'isReady'>,
): Promise<void> {
  let ended: number | NodeJS.Signals | undefined
  void child.exited.then((how) => (ended = how))
  for (const deadline = Date.now() + READY_MS_MAX; ;) {
    if (ended !== undefined)
      throw new Error(`${child.name} ended while starting (${ended}): ${lastLine(logFile)} (log: ${logFile})`)
    if (await isReady().catch(() => false)) return
    if (Date.now() > deadline)
      throw new Error(`${child.name} does not answer after ${READY_MS_MAX / 1000} s (log: ${logFile})`)
    await sleep(50)
  }
}

function lastLine(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return (
    lines.findLast((line) => /error|exception|cannot|fatal/i.test(line)) ??
    lines.at(-1) ??
    'nothing was logged'
  ).slice(0, 300)
}
