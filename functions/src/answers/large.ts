import { AsyncLocalStorage } from 'node:async_hooks'
import { Worker } from 'node:worker_threads'
import { logError } from '../lib/log.ts'
import { unlessAborted } from '../egress/abort.ts'
import type { Reply } from './thread.ts'
import { bodyError } from '../egress/body.ts'
import type { Kind, Readings, ReadTask, Secrets } from './read.ts'

/** Bytes from which on an answer is read in a thread. Passing it over costs the event loop a tenth of a millisecond; reading so much costs two, and ten at worst. */
const LARGE_BYTES_MIN = 64 * 1024
/** From so many bytes on it is the other thread's: what takes seconds is not waited for by what takes some milliseconds. */
const HUGE_BYTES_MIN = 1024 * 1024
/** A thread takes some 10 MB and a tenth of a second to start. */
const IDLE_MS = 30_000
/** Far above what is let in by its weight (read-answer.ts): when V8 comes to this limit while it parses, the process ends and not the thread alone. */
const HEAP_MB_MAX = 1024

/**
 * Reads an answer, or what an answer came in, where that does not hold up other calls; undefined for one that is small enough to be read
 * at once. The bytes are gone from here then. Rejects with a BodyError: upstream_too_large for what would take too much memory,
 * internal when the thread breaks; with any error when the call's signal aborts.
 */
export type ReadLarge = <K extends Kind>(
  kind: K,
  unread: Readings[K]['unread'],
) => Promise<Readings[K]['read']> | undefined

export interface LargeAnswers {
  /** For one call, until its signal aborts. */
  reader(secrets: Secrets, signal: AbortSignal): ReadLarge
  close(): Promise<void>
}

interface Options {
  /** The module of the thread: answer-thread.ts, or what the build makes of it. */
  entry: URL
  bytesMin?: number
  idleMs?: number
}

/** Starts no thread before one is needed. */
export function createLargeAnswers({ entry, bytesMin = LARGE_BYTES_MIN, idleMs = IDLE_MS }: Options): LargeAnswers {
  const [large, huge] = [createLane(entry, idleMs), createLane(entry, idleMs)]

  return {
    reader:
      (secrets, signal) =>
      <K extends Kind>(kind: K, unread: Readings[K]['unread']) => {
        const { length } = unread.bytes
        return length < bytesMin
          ? undefined
          : (length < HUGE_BYTES_MIN ? large : huge).read({ kind, unread, secrets } as ReadTask, signal)
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
 * A thread, started when it is needed, that takes one answer after the other as they came; there are no more of them than calls under
 * way. A call that is given up while its answer is being read takes the thread along: the others go on with a new one.
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
    // Nothing of the process's environment and flags is for it.
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

/** An error of the thread may quote what it read: nothing but its name is told. */
function brokenBy(error: unknown): Error {
  const { name, code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') return bodyError('upstream_too_large')
  logError(`The thread that reads answers broke: ${code ?? name ?? 'it ended'}`)
  return bodyError('internal')
}
