import { AsyncLocalStorage } from 'node:async_hooks'
import { Worker } from 'node:worker_threads'
import { logError } from '../lib/log.ts'
import { unlessAborted } from '../egress/abort.ts'
import type { Reply } from './thread.ts'
import { bodyError } from '../egress/body.ts'
import { holdLiterals, read, type Kind, type Readings, type ReadTask, type Secrets } from './read.ts'

/** Reads large answers in two worker threads, so that parsing and scrubbing them does not block the event loop. */

/**
 * Answers of at least this many bytes go to a thread. Handing one over costs the event loop 0.1 ms; reading it there
 * would cost 2 ms, 10 ms at worst.
 */
const LARGE_BYTES_MIN = 64 * 1024
/**
 * Answers of at least this many bytes have a thread of their own: they take seconds, and smaller ones do not wait for
 * them.
 */
const HUGE_BYTES_MIN = 1024 * 1024
/** An idle thread ends after this long. It holds some 10 MB, and starting one takes a tenth of a second. */
const IDLE_MS = 30_000
/**
 * Far above what weightOf lets in. V8 ends the process, not just the thread, if it reaches this limit while parsing.
 */
const HEAP_MB_MAX = 1024

/**
 * Reads an answer, or the messages around it, in a thread and takes the bytes away from the caller. Undefined for an
 * answer small enough to read at once; small messages with numbers that their reader would change are read here too. Rejects with a BodyError: upstream_too_large if reading would take too much
 * memory, internal if the thread breaks; with any error when the call's signal aborts.
 */
export type ReadLarge = <K extends Kind>(
  kind: K,
  unread: Readings[K]['unread'],
) => Promise<Readings[K]['read']> | undefined

export interface LargeAnswers {
  /** A reader for one call; it works until the call's signal aborts. */
  reader(secrets: Secrets, signal: AbortSignal): ReadLarge
  close(): Promise<void>
}

interface Options {
  /** The module of the thread: thread.ts, or its bundle. */
  entry: URL
  bytesMin?: number
  idleMs?: number
}

/** Threads start when they are first needed. */
export function createLargeAnswers({ entry, bytesMin = LARGE_BYTES_MIN, idleMs = IDLE_MS }: Options): LargeAnswers {
  const [large, huge] = [createLane(entry, idleMs), createLane(entry, idleMs)]

  return {
    reader:
      (secrets, signal) =>
      <K extends Kind>(kind: K, unread: Readings[K]['unread']) => {
        const { length } = unread.bytes
        const task = { kind, unread, secrets } as ReadTask
        if (length >= bytesMin) return (length < HUGE_BYTES_MIN ? large : huge).read(task, signal)
        return task.kind !== 'body' && holdLiterals(task.unread) ? read(task) : undefined
      },
    async close() {
      await Promise.all([large.close(), huge.close()])
    },
  }
}

interface Job {
  task: ReadTask
  settle: PromiseWithResolvers<Readings[Kind]['read']>
}

interface Lane {
  read(task: ReadTask, signal: AbortSignal): Promise<Readings[Kind]['read']>
  close(): Promise<void>
}

/**
 * One thread, started on demand, that reads answers in the order they arrive. The queue is no longer than the calls
 * under way. Giving up a call whose answer is being read ends the thread; a new one serves the rest.
 */
function createLane(entry: URL, idleMs: number): Lane {
  const waiting: Job[] = []
  const ending = new WeakSet<Worker>()
  let thread: Worker | undefined
  let running: Job | undefined
  let idle: NodeJS.Timeout | undefined
  // The thread outlives the call that starts it, whose context it must not keep.
  const outside = AsyncLocalStorage.snapshot()

  function next(): void {
    clearTimeout(idle)
    // Wait for the old thread to exit: terminate() cannot interrupt JSON.parse.
    if (running || (thread && ending.has(thread))) return
    running = waiting.shift()
    if (!running) {
      idle = outside(() => setTimeout(end, idleMs).unref())
      return
    }
    thread ??= outside(start)
    thread.postMessage(running.task, [running.task.unread.bytes.buffer as ArrayBuffer])
  }

  function start(): Worker {
    // The thread needs nothing from the process's environment and flags.
    const started = new Worker(entry, {
      name: 'answers',
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    })
    started.unref()
    let broken: unknown
    started.on('message', (reply: Reply) => {
      if (ending.has(started)) return
      const { settle } = running!
      running = undefined
      if ('read' in reply) settle.resolve(reply.read)
      else settle.reject(bodyError(reply.bodyCode))
      next()
    })
    started.on('error', (error) => {
      broken = error
    })
    started.on('exit', () => {
      thread = undefined
      running?.settle.reject(brokenBy(broken))
      running = undefined
      next()
    })
    return started
  }

  async function end(): Promise<void> {
    if (!thread) return
    ending.add(thread)
    await thread.terminate()
  }

  function giveUp(job: Job): void {
    const at = waiting.indexOf(job)
    if (at >= 0) waiting.splice(at, 1)
    if (job !== running) return
    running = undefined
    void end()
  }

  function read(task: ReadTask, signal: AbortSignal): Promise<Readings[Kind]['read']> {
    const job: Job = { task, settle: Promise.withResolvers() }
    const stop = () => giveUp(job)
    signal.addEventListener('abort', stop, { once: true })
    if (!signal.aborted) waiting.push(job)
    next()
    return unlessAborted(signal, job.settle.promise).finally(() => signal.removeEventListener('abort', stop))
  }

  return { read, close: end }
}

/** The thread's error may quote what it read, so only its name or code is logged. */
function brokenBy(error: unknown): Error {
  const { name, code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') return bodyError('upstream_too_large')
  logError(`The thread that reads answers broke: ${code ?? name ?? 'it ended'}`)
  return bodyError('internal')
}
