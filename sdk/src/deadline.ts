import { VitrineError } from './error.ts'

/**
 * Runs `run` until it settles, the caller aborts or the time is up, whichever comes first. `run` gets a signal that ends
 * its work; the promise settles even when `run` ignores it.
 * Errors: aborted (the signal's reason is the cause), timeout, and whatever `run` rejects with.
 */
export async function withDeadline<T>(
  limit: { timeoutMs: number; signal?: AbortSignal | undefined },
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs } = limit
  if (signal?.aborted) throw aborted(signal)
  const controller = new AbortController()
  let release = () => {}
  const stopped = new Promise<never>((_, reject) => {
    const stop = (error: VitrineError) => {
      reject(error)
      controller.abort(error)
    }
    const timer = setTimeout(
      () => stop(new VitrineError('timeout', { message: `No answer within ${timeoutMs} ms.` })),
      timeoutMs,
    )
    const onAbort = () => signal && stop(aborted(signal))
    signal?.addEventListener('abort', onAbort, { once: true })
    release = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  })
  try {
    return await Promise.race([stopped, run(controller.signal)])
  } finally {
    release()
  }
}

function aborted(signal: AbortSignal): VitrineError {
  return new VitrineError('aborted', { cause: signal.reason })
}
