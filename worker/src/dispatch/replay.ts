/** Remembers calls for as long as their tokens are valid, so that none is made twice. */
export interface SeenCalls {
  /** `full`: no more calls can be remembered, so this one must not be made. */
  add(call: string, expiresMs: number): 'new' | 'seen' | 'full'
}

/** More than a worker serves while a token is valid. */
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
