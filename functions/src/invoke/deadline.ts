import type { CallAbort } from '../egress/abort.ts'

/** The time that a call has. */
export interface Deadline {
  /** Aborts at the deadline or when the caller goes away, whichever is first; its reason is a CallAbort. */
  signal: AbortSignal
  /** In milliseconds since 1970. */
  atMs: number
  clear(): void
}

export function startDeadline(ms: number, caller: AbortSignal): Deadline {
  const controller = new AbortController()
  const abort = (reason: CallAbort) => controller.abort(reason)
  const timer = setTimeout(abort, ms, 'upstream_timeout')
  const onGone = () => abort('cancelled')
  caller.addEventListener('abort', onGone)
  if (caller.aborted) onGone()
  return {
    signal: controller.signal,
    atMs: Date.now() + ms,
    clear() {
      clearTimeout(timer)
      caller.removeEventListener('abort', onGone)
    },
  }
}
