import type { ForwardAbort } from '../forward/forward.ts'

/** The time that a call has. */
export interface Deadline {
  /** Aborts at the deadline or when the caller goes away, whichever is first; its reason is a ForwardAbort. */
  signal: AbortSignal
  /** In milliseconds since 1970. */
  atMs: number
  clear(): void
}

export function startDeadline(ms: number, caller: AbortSignal): Deadline {
  const controller = new AbortController()
  const abort = (reason: ForwardAbort) => controller.abort(reason)
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

/** What `promise` gives, or undefined when that takes longer than `ms`; the work itself goes on. */
export async function withinMs<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** How long one round trip to Firestore may take. Its client would try on for ten minutes, and everything shared would wait. */
const FIRESTORE_MS_MAX = 10_000

/** The same for a round trip to Firestore; throws with gRPC's DEADLINE_EXCEEDED when it takes too long. */
export async function answered<T extends object>(roundTrip: Promise<T>): Promise<T> {
  const result = await withinMs(FIRESTORE_MS_MAX, roundTrip)
  if (result === undefined) throw Object.assign(new Error('Firestore does not answer'), { code: 4 })
  return result
}
