import { fail, type Failure } from '@vitrine/core/result'
import type { Breaker, Verdict } from './breaker.ts'
import type { Slots } from './slots.ts'
import type { BreakerDoc, ToolDoc } from '../store/documents.ts'

/** A call that was let in. */
export interface Entered {
  /** How it ended; the first word counts. Answers what becomes of the circuit breaker, undefined when nothing does. */
  leave(verdict: Verdict, nowMs: number): BreakerDoc | null | undefined
}

/** What keeps a tool that fails or hangs from costing more than its share: its circuit breaker and the number of calls under way. */
export interface Gate {
  /** `identity` names the tool and its version. `open`: circuit_open. `full`: too_many_calls. */
  enter(agentId: string, identity: string, tool: Pick<ToolDoc, 'breaker' | 'concurrencyMax'>, nowMs: number): Entered | { open: Failure } | { full: Failure }
}

export function createGate(breaker: Breaker, slots: Slots): Gate {
  return {
    enter(agentId, identity, tool, nowMs) {
      const giveBack = slots.take(agentId, identity, tool.concurrencyMax)
      if (!giveBack) return { full: retryAt('too_many_calls', nowMs + 1_000) }
      const passage = breaker.enter(identity, tool.breaker, nowMs)
      if (typeof passage === 'object') {
        giveBack()
        return { open: retryAt('circuit_open', passage.openUntilMs) }
      }
      let inside = true
      return {
        leave(verdict, endedMs) {
          if (!inside) return undefined
          inside = false
          giveBack()
          return breaker.leave(identity, passage, verdict, endedMs)
        },
      }
    },
  }
}

function retryAt(code: 'too_many_calls' | 'circuit_open', ms: number): Failure {
  return fail(code, undefined, { retryAt: new Date(ms).toISOString() }).error
}
