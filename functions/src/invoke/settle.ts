import type { ErrorCode } from '@vitrine/core/errors'
import type { JsonValue } from '@vitrine/core/json/value'
import type { Meta } from '@vitrine/core/log/entry'
import { monthOf } from '@vitrine/core/names'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { ForwardOutcome } from '../forward/forward.ts'
import type { RawJson } from '../http/raw-json.ts'
import { closingOf } from '../ledger/closing.ts'
import type { Appended, Receipt, Write } from '../ledger/plan.ts'
import { withinMs } from '../lib/within-ms.ts'
import { breakerWrite } from '../policies/circuits.ts'
import { logs, paths, type BreakerDoc } from '../store/documents.ts'
import type { Entered } from './enter.ts'
import type { End } from './gate.ts'
import { ended, released } from './idempotency.ts'
import type { InvokeParts } from './parts.ts'

/** Steps 8 and 9 of an invocation: records the outcome and replies. */

/** How a call ended. */
export interface Ending {
  outcome: ForwardOutcome
  /** How each try ended. */
  tries: string[]
  durationMs: number
  /** There was no pinned definition to compare the command with. */
  unpinned?: boolean
  /** What the caller gets of the answer. */
  result: Invoked['result']
  headers?: Record<string, string>
  /** Places in the answer where the credential was taken out. */
  redactions: number
  /** Of the scrubbed result; empty for a call without an idempotency key. */
  resultDigest: string
}

export interface Invoked {
  /** The upstream's HTTP status; 200 for an MCP result. */
  status: number
  ok: boolean
  /** Null where it went out in pieces, and for a repeated idempotency key. */
  result: JsonValue | RawJson
  /** What the caller gets of the upstream's headers, by lower-case name (egress/headers.ts). */
  headers?: Record<string, string>
  /** With an idempotency key: `sha256:` and the hash of the result's canonical text (see digestOf). */
  resultDigest?: string
  /** The tool was called by an earlier call with this idempotency key. */
  replayed?: true
  /** `pending` when the outcome is not yet on record: recording is tried again until it is. */
  receipt: PendingReceipt
}

type PendingReceipt = Receipt & { pending?: true }

/** What becomes of a tool's circuit breaker; undefined leaves it. */
type BreakerChange = BreakerDoc | null | undefined

/** The ending of a call that was let in and then not forwarded. */
export function notForwarded(code: ErrorCode): Ending {
  return {
    outcome: { answered: false, status: 0, code, sent: false },
    tries: [],
    durationMs: 0,
    result: null,
    redactions: 0,
    resultDigest: '',
  }
}

/** Gives the slot back, records the outcome and replies. Errors: the outcome's, where there is no answer. */
export async function settle(
  parts: InvokeParts,
  entered: Entered & { intent: Appended },
  ending: Ending,
): Promise<Result<Invoked>> {
  const { outcome, result, headers, resultDigest } = ending
  const breaker = entered.visit.leave(endOf(outcome), Date.now())
  const receipt = await record(parts, entered, entered.intent, ending, breaker)
  const { status } = outcome
  if (outcome.answered)
    return ok({
      status,
      ok: outcome.ok,
      result,
      ...(headers && { headers }),
      ...(entered.guard && { resultDigest }),
      receipt,
    })
  const { code, location, unlisted } = outcome
  const said = status || unlisted
  const message = unlisted === undefined ? undefined : notListed(unlisted)
  return fail(code, location === undefined ? message : NOT_FOLLOWED, {
    receipt,
    ...(said && { status: said }),
    ...(location !== undefined && { location }),
  })
}

function notListed(status: number): string {
  return `The server answered with HTTP ${status} when it was asked for its tools, so none was called.`
}

/** The location is in the details. After 303 the tool has carried the call out (RFC 9110 section 15.4.4). */
const NOT_FOLLOWED =
  'The tool answered with a redirect that would make another request of the call, so it was not followed.'

/**
 * What a call's end says about its tool: an answer of 5xx, and no answer because of the upstream, count against it. A redirect that is
 * not followed does not: the upstream is there, and may have done what it was asked to.
 */
function endOf(outcome: ForwardOutcome): End {
  if (outcome.answered) return outcome.status >= 500 ? 'failed' : 'well'
  if (outcome.code === 'worker_absent') return outcome.isBehind ? 'nothing' : 'absent'
  return outcome.code.startsWith('upstream_') && outcome.code !== 'upstream_redirect' ? 'failed' : 'nothing'
}

/** How long a caller waits for the outcome's record before being answered without it. */
const SETTLE_WAIT_MS = 5_000
/** How long the record is tried for; then the reconciler closes the call as unknown. */
const SETTLE_PATIENCE_MS = 15 * 60_000

/** Records the outcome. The tool has been called, so the caller gets its answer even if the outcome is not on record yet. */
export async function record(
  parts: Pick<InvokeParts, 'append' | 'reconcileAfterMs'>,
  entered: Entered,
  intent: Appended,
  ending: Ending,
  breaker?: BreakerChange,
): Promise<PendingReceipt> {
  const { call, agent, tool } = entered
  const { outcome } = ending
  const log = logs.agent(agent.id)
  // The tool may have done its work for a caller who hung up early: no unit comes back for that.
  const isCredited = outcome.status === 0 && !(outcome.answered === false && outcome.code === 'cancelled')
  const meta = metaOf(ending, breaker)
  const append = (ofTool: Write[]): Promise<Result<Appended>> =>
    parts.append(
      log,
      agent.orgId,
      {
        drafts: [{ action: 'tool.invoke', actor: `agent:${agent.id}`, target: tool.name, call, meta }],
        ...(isCredited && { credit: { month: monthOf(intent.at) } }),
        writes: (seq, at, hash) => [
          ...closingOf(parts, log, { call, ts: intent.at }, seq, at),
          ...ofTool,
          ...guardWrites(entered, intent, ending, { log, seq, hash }),
        ],
      },
      SETTLE_PATIENCE_MS,
    )
  const settled = await withinMs(SETTLE_WAIT_MS, appendAnyhow(append, breakerWrites(entered, breaker)))
  return settled?.ok ? settled.value.receipts[0]! : { ...intent.receipts[0]!, pending: true }
}

/** A tool that was removed meanwhile has no circuit any more: its outcome is recorded without one. */
async function appendAnyhow(
  append: (ofTool: Write[]) => Promise<Result<Appended>>,
  ofTool: Write[],
): Promise<Result<Appended>> {
  const appended = await append(ofTool)
  return ofTool.length > 0 && !appended.ok && appended.error.code === 'conflict' ? append([]) : appended
}

function metaOf({ outcome, tries, durationMs, unpinned, redactions }: Ending, breaker: BreakerChange): Meta {
  return {
    status: outcome.status,
    ok: outcome.answered && outcome.ok,
    error: outcome.answered ? '' : outcome.code,
    durationMs,
    credited: false,
    ...(tries.length > 1 && { tries: tries.length, tried: tries.join(' ') }),
    ...(unpinned && { unpinned }),
    ...(redactions > 0 && { redactions }),
    ...(breaker !== undefined && { breaker: breaker === null ? 'closed' : 'opened' }),
  }
}

function breakerWrites({ agent, tool }: Entered, breaker: BreakerChange): Write[] {
  if (breaker === undefined) return []
  if (tool.kind === 'worker') return [breakerWrite(tool.route, tool.route.since, breaker)]
  return [{ op: 'update', path: paths.tool(agent.id, tool.name), data: { breaker } }]
}

/** What becomes of the idempotency key. None of these writes has a precondition that could fail the record. */
function guardWrites(
  { call, guard }: Entered,
  intent: Appended,
  { outcome, resultDigest }: Ending,
  receipt: Receipt,
): Write[] {
  if (!guard) return []
  if (!outcome.answered && !outcome.sent) return [released(guard)]
  const error = outcome.answered ? '' : outcome.code
  return [
    ended(
      guard,
      call,
      { seq: intent.receipts[0]!.seq, at: intent.at },
      { receipt, status: outcome.status, ok: outcome.answered && outcome.ok, error, resultDigest },
    ),
  ]
}
