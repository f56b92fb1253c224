import { setTimeout as sleep } from 'node:timers/promises'
import { TRIES_MAX } from '@vitrine/core/limits'
import type { Forward, ForwardOutcome, ForwardRequest } from './forward.ts'

/** What a gateway or an overloaded server says, most likely without having done anything lasting (RFC 9110 section 15.6). */
const PASSING_STATUSES = new Set([502, 503, 504])
/** Transient failures. Not upstream_timeout: that is the deadline. */
const PASSING_CODES = new Set(['upstream_unreachable', 'upstream_interrupted', 'worker_absent'])

const BACKOFF_MS_MIN = 100
const BACKOFF_MS_MAX = 2_000

export interface Retried {
  outcome: ForwardOutcome
  /** How each try ended: a status or an ErrorCode. */
  tries: string[]
}

/**
 * Calls a tool, again where that can do no harm: the request never left, or the call is `idempotent` and failed in a way that passes.
 * Backoff doubles with full jitter, is no shorter than a Retry-After asks, and stays inside the deadline; what has gone out to the caller in pieces is not called for again.
 */
export async function withRetries(
  forward: Forward,
  request: ForwardRequest,
  options: { idempotent: boolean; deadlineMs: number },
): Promise<Retried> {
  const tries: string[] = []
  let emitted = false
  const { emit } = request
  const watched: ForwardRequest = emit ? { ...request, emit: (piece) => ((emitted = true), emit(piece)) } : request
  let outcome: ForwardOutcome | undefined
  for (;;) {
    const last = await forward(watched)
    outcome = after(outcome, last)
    tries.push(last.answered ? String(last.status) : last.code)
    const jitterMs = Math.random() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** tries.length)
    const backoffMs = Math.max(jitterMs, retryAfterMs(last))
    const again =
      tries.length < TRIES_MAX &&
      !emitted &&
      !request.signal.aborted &&
      Date.now() + backoffMs < options.deadlineMs &&
      mayRepeat(last, options.idempotent)
    if (!again) return { outcome, tries }
    await sleep(backoffMs, undefined, { signal: request.signal }).catch(() => undefined)
    if (request.signal.aborted) return { outcome, tries }
  }
}

/** A last try that never left does not undo what an earlier one may have done, and what became of that is what the caller has to know. */
function after(before: ForwardOutcome | undefined, outcome: ForwardOutcome): ForwardOutcome {
  if (outcome.answered || outcome.sent || !before) return outcome
  if (before.answered) return { ...outcome, sent: true, status: before.status }
  return before.sent ? before : outcome
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfterMs(outcome: ForwardOutcome): number {
  const asked = (outcome.answered && outcome.headers?.['retry-after']) || '0'
  const ms = /^\d+$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.now()
  return Number.isNaN(ms) ? 0 : ms
}

function mayRepeat(outcome: ForwardOutcome, idempotent: boolean): boolean {
  if (outcome.answered) return idempotent && PASSING_STATUSES.has(outcome.status)
  return PASSING_CODES.has(outcome.code) && (idempotent || !outcome.sent)
}
