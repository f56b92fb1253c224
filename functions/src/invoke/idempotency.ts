import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ErrorCode } from '@vitrine/core/errors'
import { canonicalize } from '@vitrine/core/json/jcs'
import { IDEMPOTENCY_HOURS } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import { answered } from '../store/answered.ts'
import type { Guard, Invoked } from './dispatch.ts'
import type { Write } from '../ledger/plan.ts'
import type { InvokeParts } from './parts.ts'
import { logs, paths, type IdempotencyDoc, type IdempotencyOutcome } from '../store/documents.ts'
import type { Target } from './target.ts'

/**
 * Idempotency keys (draft-ietf-httpapi-idempotency-key-header): within 24 hours the same key of the same agent and tool runs once. Its
 * document is created in the commit of the intent and completed in that of the outcome, so it holds across processes and crashes. Results
 * never enter the store: a second use gets the recorded status and the result's digest.
 */
const POLL_MS_MIN = 25
const POLL_MS_MAX = 500

/** Where the key of an agent and tool is kept. */
export function guardPath(agentId: string, tool: string, key: string): string {
  return paths.idempotency(agentId, sha256(JSON.stringify([tool, key])))
}

export function guardOf(path: string, key: string, { command = '', args }: Target): Guard {
  return { path, argsHash: sha256(JSON.stringify([key, command, canonicalize(args)])) }
}

/** Visible ASCII with spaces inside: what a header field holds unchanged (RFC 9110 section 5.5). */
const FIELD_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

/** The key as it is sent to the tool: as it is, or percent-encoded where a header could not hold it. */
export function keyHeader(key: string): Record<string, string> {
  return { 'idempotency-key': FIELD_VALUE.test(key) ? key : encodeURIComponent(key) }
}

/** For the intent's commit: a second one fails on it. */
export function firstUse(guard: Guard, call: string, seq: number, at: string): Write {
  return { op: 'create', path: guard.path, data: begun(guard, call, seq, at) }
}

/** For the outcome's commit. Whole, so that it stands whatever became of the document meanwhile. */
export function ended(
  guard: Guard,
  call: string,
  intent: { seq: number; at: string },
  outcome: IdempotencyOutcome,
): Write {
  return { op: 'set', path: guard.path, data: { ...begun(guard, call, intent.seq, intent.at), outcome } }
}

/** For the outcome of a call that never left: nothing ran, so the key is free again. */
export function released(guard: Guard): Write {
  return { op: 'delete', path: guard.path }
}

function begun({ argsHash }: Guard, call: string, seq: number, at: string): IdempotencyDoc {
  return { call, seq, at, argsHash, expiresAt: new Date(Date.parse(at) + IDEMPOTENCY_HOURS * 3_600_000), outcome: null }
}

/**
 * Answers a second use with what the first came to, waiting for it as long as the caller would for the tool; undefined when the key is
 * free after all. Errors: idempotency_key_reused, call_running, outcome_unknown when the first was cut off, and its own error.
 */
export async function replay(
  parts: InvokeParts,
  agentId: string,
  guard: Guard,
  until: { deadlineMs: number; signal: AbortSignal },
): Promise<Result<Invoked> | undefined> {
  for (let pollMs = POLL_MS_MIN; ; pollMs = Math.min(2 * pollMs, POLL_MS_MAX)) {
    const snapshot = await answered(parts.db.doc(guard.path).get())
    if (!snapshot.exists) return undefined
    const first = snapshot.data() as IdempotencyDoc
    const ageMs = Date.now() - Date.parse(first.at)
    if (ageMs > IDEMPOTENCY_HOURS * 3_600_000) {
      await snapshot.ref.delete({ lastUpdateTime: snapshot.updateTime! }).catch(() => undefined)
      continue
    }
    if (first.argsHash !== guard.argsHash) return fail('idempotency_key_reused', undefined, { field: 'idempotencyKey' })
    if (first.outcome) return replayed(first.outcome)
    const about = { call: first.call, receipt: { log: logs.agent(agentId), seq: first.seq } }
    if (ageMs > parts.reconcileAfterMs) return fail('outcome_unknown', undefined, about)
    if (until.signal.aborted) return fail('cancelled')
    if (Date.now() + pollMs > until.deadlineMs) return fail('call_running', undefined, about)
    await sleep(pollMs)
  }
}

function replayed({ receipt, status, ok: isOk, error, resultDigest }: IdempotencyOutcome): Result<Invoked> {
  if (error !== '')
    return fail(error as ErrorCode, undefined, { receipt, replayed: true, ...(status > 0 && { status }) })
  return ok({ status, ok: isOk, result: null, resultDigest, replayed: true, receipt })
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
