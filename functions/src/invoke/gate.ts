import { CALLS_PER_AGENT_MAX } from '@vitrine/core/limits'
import { fail, ok, type Failure } from '@vitrine/core/result'
import type { BreakerDoc } from '../store/documents.ts'
import type { Breaker, Verdict } from './breaker.ts'
import { refusal, type Step } from './refuse.ts'

/** A tool as far as it decides whether a call of it may enter. */
export interface Gated {
  /** Names the tool and its version. */
  identity: string
  breaker: BreakerDoc | null
  concurrencyMax: number
  /**
   * For a server of a tool policy: its workers, under a name that changes when another one connects; how many of them may be called; and
   * why the server runs at none, if all say that it does not start.
   */
  workers?: { identity: string; live: number; failed?: Failure | undefined }
}

/** `absent`: no worker could be connected to, which says nothing about the tool. */
export type End = Verdict | 'absent'

/** A call between entering and leaving. */
export interface Visit {
  /** Gives the slot back. The first call counts, later ones do nothing. Answers what becomes of the tool's circuit breaker, undefined when nothing does. */
  leave(end: End, nowMs: number): BreakerDoc | null | undefined
}

/** Keeps a tool that fails, hangs or is not there from costing more than its share: circuit breakers, and slots for calls under way. */
export interface Gate {
  /** Errors: worker_absent, too_many_calls, circuit_open, and why the server does not start (server_failed or what can be done about it). */
  enter(agentId: string, tool: Gated, nowMs: number): Step<Visit>
}

/** `breaker` counts failures of tools and, under names of their own, of workers; the latter in this instance alone. */
export function createGate(breaker: Breaker): Gate {
  const slots = createSlots()

  return {
    enter(agentId, { identity, breaker: stored, concurrencyMax, workers }, nowMs) {
      if (workers?.live === 0) return refusal(fail('worker_absent').error, 'worker_absent')
      if (workers?.failed) return refusal(workers.failed, 'server_failed')
      const giveBack = slots.take(agentId, identity, concurrencyMax)
      if (!giveBack) return refusal(retryAt('too_many_calls', nowMs + 1_000))
      const passage = breaker.enter(identity, stored, nowMs)
      if (typeof passage === 'object') {
        giveBack()
        return refusal(retryAt('circuit_open', passage.openUntilMs), 'circuit_open')
      }
      const toWorkers = workers ? breaker.enter(workers.identity, null, nowMs) : 'closed'
      if (typeof toWorkers === 'object') {
        breaker.leave(identity, passage, 'nothing', nowMs)
        giveBack()
        return refusal(retryAt('worker_absent', toWorkers.openUntilMs), 'worker_absent')
      }
      let inside = true
      return ok({
        leave(end, endedMs) {
          if (!inside) return undefined
          inside = false
          giveBack()
          if (workers) breaker.leave(workers.identity, toWorkers, OF_WORKERS[end], endedMs)
          return breaker.leave(identity, passage, end === 'absent' ? 'nothing' : end, endedMs)
        },
      })
    },
  }
}

/** What a call's end says about the workers: one that was reached is there, whatever its server did. */
const OF_WORKERS: Record<End, Verdict> = { well: 'well', failed: 'well', nothing: 'nothing', absent: 'failed' }

function retryAt(code: 'too_many_calls' | 'circuit_open' | 'worker_absent', ms: number): Failure {
  return fail(code, undefined, { retryAt: new Date(ms).toISOString() }).error
}

/** Counts the calls under way in this instance, so that a tool that hangs takes no more than its share of memory and sockets. */
interface Slots {
  /** A function that gives the slot back, or undefined when the tool or the agent has no slot left. */
  take(agentId: string, tool: string, toolMax: number): (() => void) | undefined
}

function createSlots(): Slots {
  const taken = new Map<string, number>()

  function add(key: string, change: 1 | -1): void {
    const count = (taken.get(key) ?? 0) + change
    if (count === 0) taken.delete(key)
    else taken.set(key, count)
  }

  return {
    take(agentId, tool, toolMax) {
      if ((taken.get(tool) ?? 0) >= toolMax || (taken.get(agentId) ?? 0) >= CALLS_PER_AGENT_MAX) return undefined
      add(tool, 1)
      add(agentId, 1)
      return () => {
        add(tool, -1)
        add(agentId, -1)
      }
    },
  }
}
