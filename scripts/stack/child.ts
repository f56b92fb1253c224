/** Starts one process with a log file, waits until it serves, and ends it together with everything that it started. */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A running process. */
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
  /** Receives stdout and stderr. The log of the start before this one is kept beside it: see `previousLog`. */
  logFile: string
  /** Resolves to false as long as the process does not serve yet. */
  isReady: () => Promise<boolean>
}

const READY_MS_MAX = 120_000
const POLL_MS = 50
/** The worker takes up to 9 s: it drains its calls for 4 s, then gives its servers 5 s. */
const GRACE_MS = 12_000

/** How much of a log an error message quotes. */
const LINES_MAX = 15
const LINE_CHARS_MAX = 300
const TAIL_BYTES = 64 * 1024

/**
 * A second shell process reads a pipe that only the parent holds open. The pipe ends when the parent dies, and the shell
 * then kills the group, so that no process outlives a parent that was killed without a chance to clean up.
 */
const GUARD = '(cat >/dev/null; kill -KILL 0) <&3 & exec "$@" 3<&-'

/** Where the log of the start before this one is. */
export function previousLog(logFile: string): string {
  return logFile.replace(/(\.log)?$/, '.previous.log')
}

/** Starts a process in a group of its own. */
export function startChild(options: Omit<ChildOptions, 'isReady'>): Child {
  const { name, command, args, cwd, env, logFile } = options
  mkdirSync(dirname(logFile), { recursive: true })
  if (existsSync(logFile)) renameSync(logFile, previousLog(logFile))
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
  let gone = false
  const kill = (signal: NodeJS.Signals): void => {
    // Another process may have the same number by then.
    if (gone) return
    try {
      process.kill(-pid, signal)
    } catch {
      // The group is gone already.
    }
  }
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => {
      kill('SIGKILL')
      gone = true
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
export async function untilReady(child: Child, service: Pick<ChildOptions, 'logFile' | 'isReady'>): Promise<void> {
  const failure = await failureToStart(child, service)
  if (failure !== null) throw new Error(withLastLines(failure, service.logFile))
}

/** Resolves to null when the process serves, or to a line that says why it does not. */
export async function failureToStart(child: Child, { isReady }: Pick<ChildOptions, 'isReady'>): Promise<string | null> {
  let ended: number | NodeJS.Signals | undefined
  void child.exited.then((how) => (ended = how))
  for (const deadline = Date.now() + READY_MS_MAX; ;) {
    if (ended !== undefined) return `${child.name} ended while starting (${ended})`
    if (await isReady().catch(() => false)) return null
    if (Date.now() > deadline) return `${child.name} does not answer ${READY_MS_MAX / 1000} s after its start`
    await sleep(POLL_MS)
  }
}

/** A failure with the last lines of a log below it, indented. */
export function withLastLines(failure: string, logFile: string): string {
  const lines = tail(logFile)
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .slice(-LINES_MAX)
    .map((line) => `  ${line.slice(0, LINE_CHARS_MAX)}`)
  if (lines.length === 0) return `${failure}. It logged nothing.`
  return [`${failure}. Its last log lines (${logFile}):`, ...lines].join('\n')
}

/** The end of a file, which may begin in the middle of a line; empty when there is no file. */
export function tail(file: string): string {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return ''
  }
  try {
    const { size } = fstatSync(fd)
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES))
    const length = readSync(fd, buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8', 0, length)
  } finally {
    closeSync(fd)
  }
}
