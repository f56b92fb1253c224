/** Keeps the processes of one stack running: starts a part again that ended by itself, and gives up after several tries. */
import { setTimeout as sleep } from 'node:timers/promises'
import { failureToStart, previousLog, startChild, withLastLines, type Child, type ChildOptions } from './child.ts'

/** One part of a stack. */
export interface Part {
  name: string
  /** Says how to start the process. It is asked before each start, because Firestore starts from the newest snapshot. */
  service(): ChildOptions | Promise<ChildOptions>
  /** Runs once the process serves and before anything else may use it. Errors count as a failed start. */
  fill?(): Promise<void>
  /** Says what a restart loses. */
  loss?(): Promise<string>
  /** Called when the part is given up, with the reason. Without it, the whole stack is broken then. */
  onGivenUp?(reason: string): void
}

/** How often, and how soon, a part that ended by itself is started again. */
export interface Patience {
  /** So many failures in a row end the tries. A failure is a start that fails, or a process that ends before `steadyMs`. */
  failuresMax: number
  /** The wait after the first failure; it doubles with each further one. */
  delayMs: number
  /** A process that has served this long counts as healthy: it is started again at once, and earlier failures are forgotten. */
  steadyMs: number
}

/** Bad configuration makes a part fail at once, and ends the tries after 7.5 s and the time of five starts. */
export const PATIENT: Patience = { failuresMax: 5, delayMs: 500, steadyMs: 10_000 }

export interface Processes {
  /** Resolves with the reason once a part is given up that the stack cannot do without. */
  broken: Promise<string>
  /** Starts a part and resolves when it serves. Errors: it was given up, or it was stopped meanwhile. */
  start(part: Part): Promise<void>
  /** The process that serves as this part; undefined while there is none, and while it is being started. */
  servingPid(name: string): number | undefined
  /** Ends one part, also while it waits for its next try. */
  stop(name: string): Promise<void>
  /** Ends all parts. None can be started any more. */
  stopAll(): Promise<void>
}

/** A part from its start until it is stopped or given up. */
interface Run {
  stopping: AbortController
  /** The latest process, which may have ended. */
  child?: Child
  isServing: boolean
  /** Resolves when nothing of the part runs any more. */
  finished: Promise<void>
}

/** Why a process ended by itself. */
interface Failure {
  reason: string
  logFile: string
  /** Null when it never served. */
  servedMs: number | null
}

/** Without patience, a part that ends by itself is given up at once. */
export function processes({
  patience,
  log = () => {},
}: {
  patience: Patience | null
  /** Gets a line for each restart. */
  log?: (line: string) => void
}): Processes {
  const runs = new Map<string, Run>()
  const broken = Promise.withResolvers<string>()
  let stopped = false

  /** Resolves with the reason to give the part up, or to null when it was stopped. */
  async function keepRunning(part: Part, run: Run, onServing: () => void): Promise<string | null> {
    const { signal } = run.stopping
    for (let failures = 0; ;) {
      const failure = await runOnce(part, run, onServing)
      if (failure === null || signal.aborted) return null
      if (patience === null) return withLastLines(failure.reason, failure.logFile)
      const { servedMs } = failure
      failures = servedMs !== null && servedMs >= patience.steadyMs ? 0 : failures + 1
      if (failures >= patience.failuresMax) {
        return withLastLines(`${failure.reason}, which was failure ${failures} in a row`, failure.logFile)
      }
      const delayMs = failures === 0 ? 0 : patience.delayMs * 2 ** (failures - 1)
      log(await restartLine(part, failure, delayMs))
      await sleep(delayMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return null
    }
  }

  return {
    broken: broken.promise,
    async start(part) {
      if (stopped) throw new Error('the stack is stopping')
      if (runs.has(part.name)) throw new Error(`${part.name} is running already`)
      const serving = Promise.withResolvers<void>()
      const run: Run = { stopping: new AbortController(), isServing: false, finished: Promise.resolve() }
      runs.set(part.name, run)
      let hasServed = false
      const ended = keepRunning(part, run, () => {
        hasServed = true
        serving.resolve()
      }).catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
      run.finished = ended.then((reason) => {
        runs.delete(part.name)
        if (!hasServed) serving.reject(new Error(reason ?? `${part.name} was stopped while starting`))
        else if (reason !== null) (part.onGivenUp ?? broken.resolve)(reason)
      })
      await serving.promise
    },
    servingPid(name) {
      const run = runs.get(name)
      return run?.isServing ? run.child?.pid : undefined
    },
    async stop(name) {
      const run = runs.get(name)
      if (run) await stopRun(run)
    },
    async stopAll() {
      stopped = true
      await Promise.all([...runs.values()].map(stopRun))
    },
  }
}

/** Runs the process of a part until it ends by itself; null when the part was stopped before there was a process. */
async function runOnce(part: Part, run: Run, onServing: () => void): Promise<Failure | null> {
  const service = await part.service()
  if (run.stopping.signal.aborted) return null
  const { logFile } = service
  const child = (run.child = startChild(service))
  const failure = (await failureToStart(child, service)) ?? (await failureToFill(part))
  if (failure !== null) {
    await child.stop()
    return { reason: failure, logFile, servedMs: null }
  }
  const sinceMs = Date.now()
  run.isServing = true
  onServing()
  const how = await child.exited
  run.isServing = false
  return { reason: `${part.name} ended (${how})`, logFile, servedMs: Date.now() - sinceMs }
}

async function failureToFill(part: Part): Promise<string | null> {
  try {
    await part.fill?.()
    return null
  } catch (error) {
    return `${part.name} could not be filled: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** A process that does not serve yet has nothing to finish. */
async function stopRun({ stopping, child, isServing, finished }: Run): Promise<void> {
  stopping.abort()
  if (!isServing) child?.kill('SIGKILL')
  await child?.stop()
  await finished
}

async function restartLine(part: Part, { reason, logFile, servedMs }: Failure, delayMs: number): Promise<string> {
  const wait = delayMs === 0 ? '' : ` in ${delayMs / 1000} s`
  const loss = part.loss && servedMs !== null ? ` ${await part.loss()}` : ''
  return `${reason}, see ${previousLog(logFile)}; starting it again${wait}.${loss}`
}
