import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ErrorCode } from '@vitrine/core/errors'
import { canonicalText } from '@vitrine/core/json/jcs'
import type { JsonObject } from '@vitrine/core/json/value'
import { IDEMPOTENCY_HOURS } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import { answered } from '../store/answered.ts'
import type { Write } from '../ledger/plan.ts'
import type { InvokeParts } from './parts.ts'
import { logs, paths, type IdempotencyDoc, type IdempotencyOutcome } from '../store/documents.ts'
import { read, type Path } from '../store/path.ts'

/**
 * Idempotency keys (draft-ietf-httpapi-idempotency-key-header): within 24 hours the same key of the same agent and tool runs once. Its
 * document is created in the commit of the intent and completed in that of the outcome, so it holds across processes and crashes. Results
 * never enter the store: a second use gets the recorded status and the result's digest.
 */
const POLL_MS_MIN = 25
const POLL_MS_MAX = 500

/** An idempotency key in use: its document, and what a repetition has to repeat. */
export interface Guard {
  path: Path<IdempotencyDoc>
  /** An earlier call has used it, and may still run. */
  isUsed: boolean
  argsHash: string
  /** How long a repetition waits for the first call: as long as it would for the tool. In milliseconds since 1970. */
  waitUntilMs: number
}

/** Where the key of an agent and tool is kept. */
export function keyPath(agentId: string, tool: string, key: string): Path<IdempotencyDoc> {
  return paths.idempotency(agentId, sha256(JSON.stringify([tool, key])))
}

export function guardOf(
  { path, isUsed }: Pick<Guard, 'path' | 'isUsed'>,
  { idempotencyKey, timeoutMs }: { idempotencyKey: string | undefined; timeoutMs: number },
  { command = '', args }: { command?: string; args: JsonObject },
): Guard {
  const argsHash = sha256(JSON.stringify([idempotencyKey, command, canonicalText(args)]))
  return { path, isUsed, argsHash, waitUntilMs: Date.now() + timeoutMs }
}

/** Visible ASCII with spaces inside: what a header field holds unchanged (RFC 9110 section 5.5). */
const FIELD_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

/** The key as it is sent to the tool: unchanged, or percent-encoded if a header can't hold it. */
export function keyHeader(key: string): Record<string, string> {
  return { 'idempotency-key': FIELD_VALUE.test(key) ? key : encodeURIComponent(key) }
}

/** For the intent's commit: a second one fails on it. */
export function firstUse(guard: Guard, call: string, seq: number, at: string): Write {
  return { op: 'create', path: guard.path, data: begun(guard, call, seq, at) }
}

/** For the outcome's commit. Writes the whole document, since it may have been deleted meanwhile. */
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

/** What a second use gets: how the first call ended, without its result. */
export type Replay = Result<Omit<IdempotencyOutcome, 'error'> & { result: null; replayed: true }>

/**
 * Answers a second use with how the first call ended, and waits for that; undefined when the key turns out to be free.
 * Errors: idempotency_key_reused, call_running, outcome_unknown when the first was cut off, and its own error.
 */
export async function replay(
  { db, reconcileAfterMs }: Pick<InvokeParts, 'db' | 'reconcileAfterMs'>,
  agentId: string,
  guard: Guard,
  signal: AbortSignal,
): Promise<Replay | undefined> {
  for (let pollMs = POLL_MS_MIN; ; pollMs = Math.min(2 * pollMs, POLL_MS_MAX)) {
    const { data: first, version } = await answered(read(db, guard.path))
    if (!first) return undefined
    const ageMs = Date.now() - Date.parse(first.at)
    if (ageMs > IDEMPOTENCY_HOURS * 3_600_000) {
      await db
        .doc(guard.path)
        .delete({ lastUpdateTime: version! })
        .catch(() => undefined)
      continue
    }
    if (first.argsHash !== guard.argsHash) return fail('idempotency_key_reused', undefined, { field: 'idempotencyKey' })
    if (first.outcome) return replayOf(first.outcome)
    const about = { call: first.call, receipt: { log: logs.agent(agentId), seq: first.seq } }
    if (ageMs > reconcileAfterMs) return fail('outcome_unknown', undefined, about)
    if (signal.aborted) return fail('cancelled')
    if (Date.now() + pollMs > guard.waitUntilMs) return fail('call_running', undefined, about)
    await sleep(pollMs)
  }
}

function replayOf({ receipt, status, ok: isOk, error, resultDigest }: IdempotencyOutcome): Replay {
  if (error !== '')
    return fail(error as ErrorCode, undefined, { receipt, replayed: true, ...(status > 0 && { status }) })
  return ok({ status, ok: isOk, result: null, resultDigest, replayed: true, receipt })
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
