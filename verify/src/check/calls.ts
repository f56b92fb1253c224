import type { Entry } from '@vitrine/core/log/entry'
import type { Findings } from './findings.ts'
import type { Placed } from './placed.ts'
import { createRecentCalls } from './recent-calls.ts'

/** Pairs intents with outcomes along one chain. Memory: the open calls, and a fixed window of closed ones. */
export interface Calls {
  entry(placed: Placed): void
  /** `lastTs` is the time of the chain's last entry. */
  finish(lastTs: string, lineNumber: number): CallTotals
}

export interface CallTotals {
  intents: number
  outcomes: number
  /** Closed as unknown, because no outcome was recorded. */
  reconciled: number
  /** Open, but so recent that their outcome may still be recorded. */
  inFlight: number
}

/** The longest time-out (60 s) and the write of the outcome take less; after that the reconciler closes the call. */
const IN_FLIGHT_MS = 120_000

interface Open {
  seq: number
  line: number
  target: string
  ts: string
}

export function createCalls(log: string, findings: Findings): Calls {
  const open = new Map<string, Open>()
  const closed = createRecentCalls()
  const totals: CallTotals = { intents: 0, outcomes: 0, reconciled: 0, inFlight: 0 }

  return {
    entry(placed) {
      const { action } = placed.entry
      if (action === 'tool.invoke.intent') begin(placed)
      else if (action === 'tool.invoke' || action === 'tool.reconcile') close(placed)
    },
    finish(lastTs, lineNumber) {
      const limit = Date.parse(lastTs) - IN_FLIGHT_MS
      for (const [call, { seq, line, ts }] of open) {
        if (Date.parse(ts) >= limit) totals.inFlight += 1
        else
          findings.add(
            'unreconciled',
            { log, seq, line },
            `the intent of call ${call} has neither an outcome nor a reconciliation`,
            lineNumber,
          )
      }
      return totals
    },
  }

  function begin({ entry: { call, seq, target, ts }, line }: Placed): void {
    totals.intents += 1
    if (call === '') findings.add('bad_field', { log, seq, line }, 'an intent without a call')
    else if (open.has(call) || closed.has(call))
      findings.add('call_reused', { log, seq, line }, `call ${call} has an intent already`)
    open.set(call, { seq, line, target, ts })
  }

  function close({ entry, line }: Placed): void {
    const { call, seq, action } = entry
    totals[action === 'tool.invoke' ? 'outcomes' : 'reconciled'] += 1
    const intent = open.get(call)
    if (intent === undefined) {
      if (closed.has(call)) findings.add('call_closed_twice', { log, seq, line }, `call ${call} was closed before`)
      else
        findings.add(
          'outcome_without_intent',
          { log, seq, line },
          `no intent of call ${call} stands before its ${action}`,
        )
      return
    }
    open.delete(call)
    closed.add(call)
    const problem = mismatch(intent, entry)
    if (problem !== undefined) findings.add('outcome_mismatch', { log, seq, line }, problem)
  }
}

function mismatch(intent: Open, { action, target, meta }: Entry): string | undefined {
  if (action === 'tool.invoke') {
    return target === intent.target
      ? undefined
      : `the outcome is of ${target}, the intent of entry ${intent.seq} of ${intent.target}`
  }
  if (meta['outcome'] !== 'unknown') return 'a reconciliation knows no other outcome than "unknown"'
  return meta['intentSeq'] === intent.seq
    ? undefined
    : `the reconciliation names another intent than entry ${intent.seq}`
}
