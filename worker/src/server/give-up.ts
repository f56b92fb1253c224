import type { CallOutcome } from './api.ts'

/** What `work` gives; null when the signal aborts first. The work itself goes on. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | null> {
  if (signal.aborted) return Promise.resolve(null)
  return new Promise((resolve, reject) => {
    const stop = () => resolve(null)
    signal.addEventListener('abort', stop, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

/** Of a call that was given up: by its caller, or because its time was over. */
export function abortedOutcome(signal: AbortSignal): CallOutcome {
  if (signal.reason === 'cancelled') return { ok: false, code: 'cancelled', message: 'The call was given up.' }
  return { ok: false, code: 'upstream_timeout', message: 'The server did not answer in time.' }
}
