import { fail, type Failure } from '@vitrine/core/result'
import type { Breaker, Verdict } from './breaker.ts'
import type { Slots } from './slots.ts'
import type { BreakerDoc } from '../store/documents.ts'

/** A tool as far as it decides whether a call of it goes. */
export interface Gated {
  /** Names the tool and its version. */
  identity: string
  breaker: BreakerDoc | null
  concurrencyMax: number
  /** For a server of a tool policy: who serves that, under a name that changes when somebody new does, and how many live. */
  workers?: { identity: string; live: number }
}

/** `absent`: no worker could be connected to, which says nothing about the tool. */
export type End = Verdict | 'absent'

/** A call that was let in. */
export interface Entered {
  /** How it ended; the first word counts. Answers what becomes of the tool's circuit breaker, undefined when nothing does. */
  leave(end: End, nowMs: number): BreakerDoc | null | undefined
}

/** What keeps a tool that fails, hangs or is not there from costing more than its share: circuit breakers and the number of calls under way. */
export interface Gate {
  /** `open`: circuit_open. `absent`: worker_absent. `full`: too_many_calls. */
  enter(
    agentId: string,
    tool: Gated,
    nowMs: number,
  ): Entered | { open: Failure } | { absent: Failure } | { full: Failure }
}

/** `breaker` holds the circuits of tools; those of workers are in it too, under names of their own, and this instance's alone. */
export function createGate(breaker: Breaker, slots: Slots): Gate {
  return {
    enter(agentId, { identity, breaker: stored, concurrencyMax, workers }, nowMs) {
      if (workers?.live === 0) return { absent: fail('worker_absent').error }
      const giveBack = slots.take(agentId, identity, concurrencyMax)
      if (!giveBack) return { full: retryAt('too_many_calls', nowMs + 1_000) }
      const passage = breaker.enter(identity, stored, nowMs)
      if (typeof passage === 'object') {
        giveBack()
        return { open: retryAt('circuit_open', passage.openUntilMs) }
      }
      const toWorkers = workers ? breaker.enter(workers.identity, null, nowMs) : 'closed'
      if (typeof toWorkers === 'object') {
        breaker.leave(identity, passage, 'nothing', nowMs)
        giveBack()
        return { absent: retryAt('worker_absent', toWorkers.openUntilMs) }
      }
      let inside = true
      return {
        leave(end, endedMs) {
          if (!inside) return undefined
          inside = false
          giveBack()
          if (workers) breaker.leave(workers.identity, toWorkers, OF_WORKERS[end], endedMs)
          return breaker.leave(identity, passage, end === 'absent' ? 'nothing' : end, endedMs)
        },
      }
    },
  }
}

/** What a call's end says about the workers: one that was reached is there, whatever its server did. */
const OF_WORKERS: Record<End, Verdict> = { well: 'well', failed: 'well', nothing: 'nothing', absent: 'failed' }

function retryAt(code: 'too_many_calls' | 'circuit_open' | 'worker_absent', ms: number): Failure {
  return fail(code, undefined, { retryAt: new Date(ms).toISOString() }).error
}
