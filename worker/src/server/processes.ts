import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { chown, mkdir, rm } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { PROGRAM_FOLDERS } from '@vitrine/core/policy/program-path'
import type { ServerLimits } from '@vitrine/core/policy/server-config'
import { fail, ok, type Result } from '@vitrine/core/result'
import { DESCENDANTS_MAX } from './bounds.ts'
import type { Controller } from './cgroup-plan.ts'
import type { Group } from './cgroups.ts'
import { findContainment, type Containment } from './containment.ts'
import { createCpuMeter } from './cpu.ts'
import { endAll, killAll, signalAll } from './end.ts'
import { IMAGE_FOLDERS, renaming, type Renaming } from './image-folders.ts'
import { spawnContained, type SpawnRequest } from './spawn.ts'
import { createTracker, MARKER, type Tracked } from './tracker.ts'
import { createUsers } from './users.ts'

/** Starts the processes of servers, enforces their limits, and ends them with all descendants. */

export interface ProcessSpec {
  /** The server's slug. */
  server: string
  /** The user whose process it is, if users have processes of their own. */
  forUser?: string | undefined
  /** Absolute path. */
  file: string
  /** `${workDir}` in `args` and `env` is replaced by the process's own folder. */
  args: string[]
  /** All variables of the process, except PATH, HOME, TMPDIR and the tracker's marker. */
  env: Record<string, string>
  /** Folders in which it finds programs by name, after the worker's own node; those of the image if absent. */
  path?: readonly string[] | undefined
  limits: ServerLimits
  /** Called with the process's user before it starts; null if it is the worker's own. */
  prepare?(user: number | null): Promise<void>
}

/** A server's first process and all its descendants. */
export interface ServerProcess {
  pid: number
  stdin: Writable
  stdout: Readable
  stderr: Readable
  /** Puts the names that folders have in the worker's image in place of those that they have here. */
  asInImage: Renaming
  /** Resolves when the first process has ended, with a text that says how. */
  exited: Promise<string>
  /** Kills it and its descendants at once; `exited` then resolves with `why`. */
  kill(why: string): void
  /**
   * Ends it gracefully. Resolves when its processes, user id and folder are gone. May be called repeatedly, and after
   * `exited`.
   */
  stop(graceMs: number): Promise<void>
}

export interface Processes {
  containment: Containment
  /** Errors: upstream_unreachable. */
  start(spec: ProcessSpec): Promise<Result<ServerProcess>>
  close(): void
}

/** Holds the worker's own node, which servers find before any other. */
const BIN = 'bin'
const FOLDER = 'server-'

/** Servers must be able to read `cacheDir`. */
export function createProcesses(options: {
  workDir: string
  cacheDir: string
  watchMs: number
  cgroups: boolean
}): Processes {
  const { cacheDir, watchMs } = options
  const workDir = prepareWorkDir(options.workDir)
  const containment = findContainment([workDir, cacheDir], options)
  void containment.cgroups?.sweep()
  const tracker = createTracker({ watchMs })
  const users = createUsers()

  return {
    containment,
    close: () => tracker.close(),
    async start(spec) {
      const folder = await claimFolder(workDir, folderOf(spec))
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
        await spec.prepare?.(user)
        const doors = group?.doors ?? []
        const child = spawnContained({
          ...placedIn(folder, spec, { PATH: pathOf(workDir, spec), [MARKER]: id }),
          folder,
          user,
          limits: spec.limits,
          doors,
          containment,
        })
        if (child.pid === undefined) throw (await once(child, 'error'))[0]
        // Track it without delay: a process that the tracker sees first is never assigned to a server.
        const asInImage = renaming([
          [folder, join(IMAGE_FOLDERS.work, folderOf({ server: spec.server }))],
          [workDir, IMAGE_FOLDERS.work],
          [cacheDir, IMAGE_FOLDERS.cache],
        ])
        const { limits } = spec
        return ok(serverProcess({ child, pid: child.pid, id, user, group, limits, asInImage, discard, tracker }))
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
  asInImage: Renaming
  discard(): Promise<void>
  tracker: ReturnType<typeof createTracker>
}

function serverProcess({ child, pid, id, user, group, limits, asInImage, discard, tracker }: Running): ServerProcess {
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
    // Find all members before any is told to end: a process whose parent has ended is harder to assign.
    tracker.membersOf(tracked)
    child.stdin.destroy()
    // A process that hangs in the kernel keeps its user id and folder.
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
    asInImage,
    exited,
    kill,
    stop: (graceMs) => (stopping ??= stop(graceMs)),
  }
}

/** The command with the process's folder in place of `${workDir}`, and all its variables. */
function placedIn(
  folder: string,
  { file, args, env }: ProcessSpec,
  ours: Record<string, string>,
): Pick<SpawnRequest, 'file' | 'args' | 'env'> {
  const placed = (text: string) => text.replaceAll('${workDir}', folder)
  const declared = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, placed(value)]))
  return { file, args: args.map(placed), env: { ...declared, ...ours, HOME: folder, TMPDIR: join(folder, 'tmp') } }
}

function pathOf(workDir: string, { path = [dirname(process.execPath), ...PROGRAM_FOLDERS] }: ProcessSpec): string {
  return [...new Set([join(workDir, BIN), ...path])].join(delimiter)
}

/** Returns its real path, which is the one that processes see. */
function prepareWorkDir(workDir: string): string {
  mkdirSync(join(workDir, BIN), { recursive: true })
  for (const folder of [workDir, join(workDir, BIN)]) chmodSync(folder, 0o711)
  const node = join(workDir, BIN, 'node')
  rmSync(node, { force: true })
  symlinkSync(process.execPath, node)
  // Folders of a worker that was killed.
  for (const name of readdirSync(workDir))
    if (name.startsWith(FOLDER)) rmSync(join(workDir, name), { recursive: true, force: true })
  return realpathSync(workDir)
}

/** The same at each start. A slug has no dot, and a user may be named in any characters. */
function folderOf({ server, forUser }: Pick<ProcessSpec, 'server' | 'forUser'>): string {
  const user = forUser === undefined ? '' : `.${createHash('sha256').update(forUser).digest('hex').slice(0, 16)}`
  return `${FOLDER}${server}${user}`
}

/**
 * Makes a new folder of this name. If another process still has it, the next number is added: mkdir takes no folder that exists, and
 * follows no link.
 */
async function claimFolder(workDir: string, name: string): Promise<string> {
  for (let n = 1; ; n++) {
    const folder = join(workDir, n === 1 ? name : `${name}.${n}`)
    try {
      await mkdir(folder, { mode: 0o700 })
      return folder
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

async function prepareFolder(folder: string, user: number | null): Promise<void> {
  const temporary = join(folder, 'tmp')
  await mkdir(temporary, { mode: 0o700 })
  if (user === null) return
  for (const path of [temporary, folder]) await chown(path, user, user)
}
