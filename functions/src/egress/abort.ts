/** Why Vitrine gave a call up: at its deadline, or because its caller went away. */
export type CallAbort = 'upstream_timeout' | 'cancelled'

/** The reason of an aborted signal. */
export function abortOf(signal: AbortSignal): CallAbort {
  return signal.reason === 'cancelled' ? 'cancelled' : 'upstream_timeout'
}

/**
 * Waits for `work` until the signal aborts, then rejects; rejects at once if it has aborted already. The work itself
 * goes on.
 */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new Error('Given up.'))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
