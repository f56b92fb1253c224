import type { CallOutcome } from './api.ts'

/** Calls that end before their work does. */

/** The result of `work`, or null if the signal aborts first. `work` itself continues. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | null> {
  if (signal.aborted) return Promise.resolve(null)
  return new Promise((resolve, reject) => {
    const stop = () => resolve(null)
    signal.addEventListener('abort', stop, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

/** The outcome of a call that its caller cancelled or that timed out. */
export function abortedOutcome(signal: AbortSignal): CallOutcome {
  if (signal.reason === 'cancelled') return { ok: false, code: 'cancelled', message: 'The call was given up.' }
  return { ok: false, code: 'upstream_timeout', message: 'The server did not answer in time.' }
}
