import { LRUCache } from 'lru-cache'
import type { BreakerDoc } from '../store/documents.ts'

/** A circuit opens when at least half of the calls within the window failed, and there were this many. */
const CALLS_MIN = 10
const FAILURE_RATE = 0.5
/** Counted in halves: the present one and the one before. */
const WINDOW_MS = 30_000

const OPEN_MS_MIN = 10_000
const OPEN_MS_MAX = 300_000
/** A probe that has not come back by then was lost with its call. */
const PROBE_MS_MAX = 90_000
/** Tools that are counted. */
const TOOLS_MAX = 10_000

/** How a call ended, as far as it tells about the tool. `nothing`: it was cut off by its caller, or never reached the tool because of us. */
export type Verdict = 'well' | 'failed' | 'nothing'

/** `closed` and `probe` may go; a probe decides whether the circuit closes again. */
export type Passage = 'closed' | 'probe' | { openUntilMs: number }

/**
 * Circuit breaker of each tool. Whether a circuit is open is stored (for a policy's server in the document of the policy's workers, otherwise
 * in the tool's), so that all instances know and the owner sees it; failures are counted per instance and cost nothing to count. An open
 * circuit lets one call at a time (per instance) through when its time is up.
 */
export interface Breaker {
  /** `tool` names the tool and its version: a changed one starts anew. */
  enter(tool: string, stored: BreakerDoc | null, nowMs: number): Passage
  /** To be told for every call that was let in. Answers what to store: null closes, undefined changes nothing. */
  leave(tool: string, passage: Passage, verdict: Verdict, nowMs: number): BreakerDoc | null | undefined
}

interface Half {
  calls: number
  failed: number
}

interface Counts {
  now: Half
  before: Half
  /** When the present half began. */
  sinceMs: number
  /** What this instance stored, until it is read back. */
  open: BreakerDoc | null
  probeSinceMs: number
}

export function createBreaker(): Breaker {
  const tools = new LRUCache<string, Counts>({ max: TOOLS_MAX })

  function countsOf(tool: string, nowMs: number): Counts {
    const counts = tools.get(tool) ?? {
      now: none(),
      before: none(),
      sinceMs: nowMs,
      open: null,
      probeSinceMs: -Infinity,
    }
    tools.set(tool, counts)
    const halves = Math.floor((nowMs - counts.sinceMs) / (WINDOW_MS / 2))
    if (halves > 0) {
      counts.before = halves === 1 ? counts.now : none()
      counts.now = none()
      counts.sinceMs = nowMs
    }
    return counts
  }

  return {
    enter(tool, stored, nowMs) {
      if (stored === null && !tools.has(tool)) return 'closed'
      const counts = countsOf(tool, nowMs)
      const open = later(stored, counts.open)
      if (open === null) return 'closed'
      counts.open = open
      if (nowMs < open.openUntilMs) return { openUntilMs: open.openUntilMs }
      if (nowMs - counts.probeSinceMs < PROBE_MS_MAX) return { openUntilMs: nowMs + 1_000 }
      counts.probeSinceMs = nowMs
      return 'probe'
    },

    leave(tool, passage, verdict, nowMs) {
      const counts = countsOf(tool, nowMs)
      if (passage === 'probe') {
        counts.probeSinceMs = -Infinity
        if (verdict === 'nothing') return undefined
        counts.now = none()
        counts.before = none()
        return (counts.open =
          verdict === 'well' ? null : opened(Math.min(2 * (counts.open?.openForMs ?? OPEN_MS_MIN), OPEN_MS_MAX), nowMs))
      }
      if (verdict === 'nothing') return undefined
      counts.now.calls += 1
      if (verdict === 'well') return undefined
      counts.now.failed += 1
      const calls = counts.now.calls + counts.before.calls
      const failed = counts.now.failed + counts.before.failed
      // Calls that were under way when it opened have nothing to add.
      if (counts.open !== null || calls < CALLS_MIN || failed < calls * FAILURE_RATE) return undefined
      return (counts.open = opened(OPEN_MS_MIN, nowMs))
    },
  }
}

function opened(openForMs: number, nowMs: number): BreakerDoc {
  return { openForMs, openUntilMs: nowMs + openForMs }
}

function later(a: BreakerDoc | null, b: BreakerDoc | null): BreakerDoc | null {
  if (a === null || b === null) return a ?? b
  return a.openUntilMs >= b.openUntilMs ? a : b
}

function none(): Half {
  return { calls: 0, failed: 0 }
}
