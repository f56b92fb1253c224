import type { BreakerDoc } from './documents.ts'

/** A circuit breaker as owners see it: `open` while calls are refused, `half_open` while the next one is a probe. */
export interface BreakerState {
  state: 'closed' | 'open' | 'half_open'
  /** RFC 3339. */
  until?: string
}

export function breakerState(stored: BreakerDoc | null, nowMs: number): BreakerState {
  if (stored === null) return { state: 'closed' }
  return { state: nowMs < stored.openUntilMs ? 'open' : 'half_open', until: new Date(stored.openUntilMs).toISOString() }
}
