/** Why a call was given up on our side: at its deadline, or because its caller went away. */
export type CallAbort = 'upstream_timeout' | 'cancelled'

/** Why a call was given up, by the signal that says so. */
export function abortOf(signal: AbortSignal): CallAbort {
  return signal.reason === 'cancelled' ? 'cancelled' : 'upstream_timeout'
}

/** Waits for `work` no longer than until the signal aborts; rejects then, also when it has aborted before. The work itself goes on. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new Error('Given up.'))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
