import type { Meta } from '@vitrine/core/log/entry'
import type { ErrorCode } from '@vitrine/core/errors'
import { monthOf } from '@vitrine/core/names'
import type { Result } from '@vitrine/core/result'
import type { Dispatch, Ending } from './dispatch.ts'
import { withinMs } from '../lib/within-ms.ts'
import { ended, released } from './idempotency.ts'
import type { Appended, Receipt, Write } from '../ledger/plan.ts'
import type { InvokeParts } from './parts.ts'
import { breakerWrite } from '../policies/circuits.ts'
import { closingOf } from '../ledger/closing.ts'
import { logs, paths } from '../store/documents.ts'

/** The ending of a call that was let in and then not forwarded. */
export function notForwarded(code: ErrorCode): Ending {
  return {
    outcome: { answered: false, status: 0, code, sent: false },
    tries: [],
    durationMs: 0,
    redactions: 0,
    resultDigest: '',
    breaker: undefined,
  }
}

/** How long a caller waits for the outcome's record before being answered without it. */
const SETTLE_WAIT_MS = 5_000
/** How long the record is tried for; then the reconciler closes the call as unknown. */
const SETTLE_PATIENCE_MS = 15 * 60_000

/** Records the outcome. The tool has been called, so the caller gets its answer whether or not the record stands already. */
export async function settle(
  parts: InvokeParts,
  dispatch: Dispatch,
  intent: Appended,
  ending: Ending,
): Promise<Receipt & { pending?: true }> {
  const { call, agent, tool } = dispatch
  const { outcome } = ending
  const log = logs.agent(agent.id)
  // A caller who hangs up early has perhaps had the tool do its work: no unit comes back for that.
  const isCredited = outcome.status === 0 && !(outcome.answered === false && outcome.code === 'cancelled')
  const append = (ofTool: Write[]): Promise<Result<Appended>> =>
    parts.append(
      log,
      agent.orgId,
      {
        drafts: [{ action: 'tool.invoke', actor: `agent:${agent.id}`, target: tool.name, call, meta: metaOf(ending) }],
        ...(isCredited && { credit: { month: monthOf(intent.at) } }),
        writes: (seq, at, hash) => [
          ...closingOf(parts, log, { call, ts: intent.at }, seq, at),
          ...ofTool,
          ...guardWrites(dispatch, intent, ending, { log, seq, hash }),
        ],
      },
      SETTLE_PATIENCE_MS,
    )
  const settled = await withinMs(SETTLE_WAIT_MS, appendAnyhow(append, breakerWrites(dispatch, ending)))
  return settled?.ok ? settled.value.receipts[0]! : { ...intent.receipts[0]!, pending: true }
}

/** A tool that was taken away meanwhile has no circuit any more, and takes no record with it. */
async function appendAnyhow(
  append: (ofTool: Write[]) => Promise<Result<Appended>>,
  ofTool: Write[],
): Promise<Result<Appended>> {
  const appended = await append(ofTool)
  return ofTool.length > 0 && !appended.ok && appended.error.code === 'conflict' ? append([]) : appended
}

function metaOf({ outcome, tries, durationMs, redactions, breaker }: Ending): Meta {
  return {
    status: outcome.status,
    ok: outcome.answered && outcome.ok,
    error: outcome.answered ? '' : outcome.code,
    durationMs,
    credited: false,
    ...(tries.length > 1 && { tries: tries.length, tried: tries.join(' ') }),
    ...(redactions > 0 && { redactions }),
    ...(breaker !== undefined && { breaker: breaker === null ? 'closed' : 'opened' }),
  }
}

function breakerWrites({ agent, tool }: Dispatch, { breaker }: Ending): Write[] {
  if (breaker === undefined) return []
  if (tool.kind === 'worker') return [breakerWrite(tool.route, tool.route.since, breaker)]
  return [{ op: 'update', path: paths.tool(agent.id, tool.name), data: { breaker } }]
}

/** What becomes of the idempotency key; it cannot fail and take the record with it. */
function guardWrites(
  { call, guard }: Dispatch,
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
