/** Which calls were made already, for as long as their tokens are valid. */
export interface SeenCalls {
  /** `full`: nothing more can be remembered, so the call must not be made. */
  add(call: string, expiresMs: number): 'new' | 'seen' | 'full'
}

/** More than a worker serves in the life of a token. */
const CALLS_MAX = 100_000

export function createSeenCalls(now: () => number, max = CALLS_MAX): SeenCalls {
  const expiry = new Map<string, number>()
  return {
    add(call, expiresMs) {
      if (expiry.has(call) && expiry.get(call)! > now()) return 'seen'
      if (expiry.size >= max) purge(expiry, now())
      if (expiry.size >= max) return 'full'
      expiry.set(call, expiresMs)
      return 'new'
    },
  }
}

function purge(expiry: Map<string, number>, nowMs: number): void {
  for (const [call, at] of expiry) if (at <= nowMs) expiry.delete(call)
}
