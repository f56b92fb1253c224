import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { ServerLimits } from '@vitrine/core/policy/server-config'
import { fail, ok, type Result } from '@vitrine/core/result'
import { DESCENDANTS_MAX } from './bounds.ts'
import type { Controller } from './cgroup-plan.ts'
import type { Group } from './cgroups.ts'
import { findContainment, type Containment } from './containment.ts'
import { createCpuMeter } from './cpu.ts'
import { endAll, killAll, signalAll } from './end.ts'
import { spawnContained, type SpawnRequest } from './spawn.ts'
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
export function createProcesses(options: {
  workDir: string
  readable: string[]
  watchMs: number
  cgroups: boolean
}): Processes {
  const { workDir, watchMs } = options
  prepareWorkDir(workDir)
  const containment = findContainment([workDir, ...options.readable], options)
  void containment.cgroups?.sweep()
  const tracker = createTracker({ watchMs })
  const users = createUsers()

  return {
    containment,
    close: () => tracker.close(),
    async start(spec) {
      const folder = await mkdtemp(join(workDir, 'server-'))
      const user = containment.ownUser ? users.take() : null
      const id = randomUUID()
      const group = containment.cgroups?.create(id, spec.limits) ?? null
      const discard = async () => {
        await group?.remove()
        if (user !== null) users.giveBack(user)
        await rm(folder, { recursive: true, force: true })
      }
      try {
        await prepareFolder(folder, user)
        const doors = group?.doors ?? []
        const child = spawnContained({
          ...placedIn(folder, spec, { PATH: join(workDir, BIN), [MARKER]: id }),
          folder,
          user,
          limits: spec.limits,
          doors,
          containment,
        })
        if (child.pid === undefined) throw (await once(child, 'error'))[0]
        // At once: a process that the tracker sees before it knows of it is nobody's for good.
        return ok(serverProcess({ child, pid: child.pid, id, user, group, limits: spec.limits, discard, tracker }))
      } catch (error) {
        await discard()
        return fail(
          'upstream_unreachable',
          `It could not be started: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}.`,
        )
      }
    },
  }
}

interface Running {
  child: ReturnType<typeof spawnContained>
  pid: number
  id: string
  user: number | null
  group: Group | null
  limits: ServerLimits
  discard(): Promise<void>
  tracker: ReturnType<typeof createTracker>
}

function serverProcess({ child, pid, id, user, group, limits, discard, tracker }: Running): ServerProcess {
  let why: string | null = null
  const kill = (reason: string) => {
    why ??= reason
    killAll(tracker, tracked)
  }
  const leftToUs = (what: Controller) => !group?.controllers.includes(what)
  const tooMuchMemory = `used more than ${limits.memoryMb} MB of memory`
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
    id,
    pid,
    user,
    group,
    onUsage({ processes, residentBytes, cpuMs }) {
      if (leftToUs('cpu')) pauseFor(cpu.pauseMs(cpuMs, performance.now()))
      if (leftToUs('memory') ? residentBytes > limits.memoryMb * 1024 * 1024 : group!.ranOutOfMemory())
        kill(tooMuchMemory)
      else if (processes > DESCENDANTS_MAX) kill(`started more than ${DESCENDANTS_MAX} processes`)
    },
  }
  tracker.track(tracked)
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      if (group?.ranOutOfMemory()) why ??= tooMuchMemory
      resolve(why ?? (signal ? `killed by ${signal}` : `exited with code ${code}`))
    })
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
    pid,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    kill,
    stop: (graceMs) => (stopping ??= stop(graceMs)),
  }
}

/** What is run, with the process's folder in place of its placeholder and all its variables. */
function placedIn(
  folder: string,
  { file, args, env }: ProcessSpec,
  ours: Record<string, string>,
): Pick<SpawnRequest, 'file' | 'args' | 'env'> {
  const placed = (text: string) => text.replaceAll('${workDir}', folder)
  const declared = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, placed(value)]))
  return { file, args: args.map(placed), env: { ...declared, ...ours, HOME: folder, TMPDIR: join(folder, 'tmp') } }
}

function prepareWorkDir(workDir: string): void {
  mkdirSync(join(workDir, BIN), { recursive: true })
  for (const folder of [workDir, join(workDir, BIN)]) chmodSync(folder, 0o711)
  const node = join(workDir, BIN, 'node')
  rmSync(node, { force: true })
  symlinkSync(process.execPath, node)
  // What a worker that was killed left behind.
  for (const name of readdirSync(workDir))
    if (name.startsWith('server-')) rmSync(join(workDir, name), { recursive: true, force: true })
}

async function prepareFolder(folder: string, user: number | null): Promise<void> {
  const temporary = join(folder, 'tmp')
  await mkdir(temporary, { mode: 0o700 })
  if (user === null) return
  for (const path of [temporary, folder]) await chown(path, user, user)
}
