import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { ServerLimits } from '@vitrine/core/policy'
import { fail, ok, type Result } from '@vitrine/core/result'
import { DESCENDANTS_MAX, FILE_BYTES_MAX, NICENESS, NPROC_MAX, OPEN_FILES_MAX } from './bounds.ts'
import { findContainment, type Containment } from './containment.ts'
import { createCpuMeter } from './cpu.ts'
import { endAll, killAll, signalAll } from './end.ts'
import { createTracker, MARKER, type Tracked } from './tracker.ts'
import { createUsers } from './users.ts'

export interface ProcessSpec {
  /** Absolute. */
  file: string
  /** `${workDir}` in here and in `env` stands for the process's own folder. */
  args: string[]
  /** All that the process gets, beside PATH, HOME, TMPDIR and a marker of ours. */
  env: Record<string, string>
  limits: ServerLimits
}

/** A server's first process and all that it starts. */
export interface ServerProcess {
  pid: number
  stdin: Writable
  stdout: Readable
  stderr: Readable
  /** Resolves when the first process has ended, with how, in words. */
  exited: Promise<string>
  /** Ends it at once, descendants and all; `why` is then what `exited` says. */
  kill(why: string): void
  /** Ends it in good order. Resolves when no process, user id or folder of it is left; may be called again, and after `exited`. */
  stop(graceMs: number): Promise<void>
}

export interface Processes {
  containment: Containment
  /** Errors: upstream_unreachable. */
  start(spec: ProcessSpec): Promise<Result<ServerProcess>>
  close(): void
}

/** Servers find their own node here and nothing else. */
const BIN = 'bin'

/** `readable` are folders that servers must be able to read from. */
export function createProcesses(options: { workDir: string; readable: string[]; watchMs: number }): Processes {
  const { workDir, watchMs } = options
  prepareWorkDir(workDir)
  const containment = findContainment([workDir, ...options.readable])
  const tracker = createTracker({ watchMs })
  const users = createUsers()

  return {
    containment,
    close: () => tracker.close(),
    async start(spec) {
      const folder = await mkdtemp(join(workDir, 'server-'))
      const user = containment.ownUser ? users.take() : null
      const discard = async () => {
        if (user !== null) users.giveBack(user)
        await rm(folder, { recursive: true, force: true })
      }
      const id = randomUUID()
      try {
        await prepareFolder(folder, user)
        const child = spawnContained(spec, { folder, user, id, containment, path: join(workDir, BIN) })
        if (child.pid === undefined) throw (await once(child, 'error'))[0]
        // At once: a process that the tracker sees before it knows of it is nobody's for good.
        return ok(serverProcess({ child, pid: child.pid, id, user, limits: spec.limits, discard, tracker }))
      } catch (error) {
        await discard()
        return fail('upstream_unreachable', `It could not be started: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}.`)
      }
    },
  }
}

interface Running {
  child: ReturnType<typeof spawnContained>
  pid: number
  id: string
  user: number | null
  limits: ServerLimits
  discard(): Promise<void>
  tracker: ReturnType<typeof createTracker>
}

function serverProcess({ child, pid, id, user, limits, discard, tracker }: Running): ServerProcess {
  let why: string | null = null
  const kill = (reason: string) => {
    why ??= reason
    killAll(tracker, tracked)
  }
  const cpu = createCpuMeter(limits.cpuMillicores)
  let resume: NodeJS.Timeout | undefined
  const pauseFor = (ms: number) => {
    if (ms === 0 || resume || stopping) return
    signalAll(tracker, tracked, 'SIGSTOP')
    resume = setTimeout(() => {
      resume = undefined
      signalAll(tracker, tracked, 'SIGCONT')
    }, ms)
  }
  const tracked: Tracked = {
    id, pid, user,
    onUsage({ processes, residentBytes, cpuMs }) {
      pauseFor(cpu.pauseMs(cpuMs, performance.now()))
      if (residentBytes > limits.memoryMb * 1024 * 1024) kill(`used more than ${limits.memoryMb} MB of memory`)
      else if (processes > DESCENDANTS_MAX) kill(`started more than ${DESCENDANTS_MAX} processes`)
    },
  }
  tracker.track(tracked)
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(why ?? (signal ? `killed by ${signal}` : `exited with code ${code}`)))
  })
  let stopping: Promise<void> | undefined

  async function stop(graceMs: number): Promise<void> {
    clearTimeout(resume)
    // Before the first of them hears that it is to end: whose parent has gone is harder to find.
    tracker.membersOf(tracked)
    child.stdin.destroy()
    // What hangs in the kernel keeps its user id and its folder.
    if (!(await endAll(tracker, tracked, graceMs))) return
    await exited
    tracker.release(tracked)
    child.stdout.destroy()
    child.stderr.destroy()
    await discard()
  }
  return {
    pid, stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, exited, kill,
    stop: (graceMs) => stopping ??= stop(graceMs),
  }
}

function spawnContained(
  { file, args, env, limits }: ProcessSpec,
  { folder, user, id, containment, path }: { folder: string; user: number | null; id: string; containment: Containment; path: string },
) {
  const placed = (text: string) => text.replaceAll('${workDir}', folder)
  const [first, ...rest] = [...wrappers(containment, user), file, ...nodeOptions(file, limits), ...args.map(placed)]
  const child = spawn(first!, rest, {
    cwd: folder,
    env: {
      ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, placed(value)])),
      PATH: path, HOME: folder, TMPDIR: join(folder, 'tmp'), [MARKER]: id,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A session, and so a process group, of its own.
    detached: true,
    shell: false,
    ...(user !== null && { uid: user, gid: user }),
  })
  child.on('error', () => undefined)
  // Then it has no pipes either.
  if (child.pid === undefined) return child
  child.stdin.on('error', () => undefined)
  lowerPriority(child.pid)
  return child
}

/**
 * Programs of util-linux that set limits and then become the next one: no process more, no shell. The kernel ends the server when the
 * worker ends in whatever way.
 */
function wrappers({ prlimit, setpriv }: Containment, user: number | null): string[] {
  const sizes = ['--core=0', `--nofile=${OPEN_FILES_MAX}`, `--fsize=${FILE_BYTES_MAX}`]
  // The kernel counts per user: with the worker's own, all servers and the worker would share the bound.
  const processes = user === null ? [] : [`--nproc=${NPROC_MAX}`]
  return [...(prlimit === null ? [] : [prlimit, ...sizes, ...processes]), ...(setpriv === null ? [] : [setpriv, '--no-new-privs', '--inh-caps=-all', '--pdeathsig=KILL'])]
}

/** V8 reserves far more address space than it uses, so RLIMIT_AS would only break it. It keeps its own heap within bounds if told. */
function nodeOptions(file: string, { memoryMb }: ServerLimits): string[] {
  return file === process.execPath ? [`--max-old-space-size=${Math.max(32, Math.floor(memoryMb * 0.75))}`] : []
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, NICENESS)
  } catch {
    // It has ended already.
  }
}

function prepareWorkDir(workDir: string): void {
  mkdirSync(join(workDir, BIN), { recursive: true })
  for (const folder of [workDir, join(workDir, BIN)]) chmodSync(folder, 0o711)
  const node = join(workDir, BIN, 'node')
  rmSync(node, { force: true })
  symlinkSync(process.execPath, node)
  // What a worker that was killed left behind.
  for (const name of readdirSync(workDir)) if (name.startsWith('server-')) rmSync(join(workDir, name), { recursive: true, force: true })
}

async function prepareFolder(folder: string, user: number | null): Promise<void> {
  const temporary = join(folder, 'tmp')
  await mkdir(temporary, { mode: 0o700 })
  if (user === null) return
  for (const path of [temporary, folder]) await chown(path, user, user)
}
