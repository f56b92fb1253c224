import { randomBytes } from 'node:crypto'
import { commit, openingOf } from '@vitrine/core/log/commitment'
import { redactArgs } from '@vitrine/core/scrub/redact'
import type { Result } from '@vitrine/core/result'
import type { Dispatch } from './dispatch.ts'
import { firstUse } from './idempotency.ts'
import type { Appended, Item } from '../ledger/plan.ts'
import type { InvokeParts } from './parts.ts'
import { notForwarded, settle } from './settle.ts'
import { logs } from '../store/documents.ts'

/** Makes the intent durable and spends a unit; nothing is forwarded before this has succeeded. Errors: quota_exceeded, ledger_unavailable, conflict for a used key. */
export async function admit(parts: InvokeParts, dispatch: Dispatch): Promise<Result<Appended>> {
  const {
    call,
    agent,
    user,
    tool,
    request,
    target: { command },
    guard,
  } = dispatch
  const opening = openingOf(redactArgs(request.args, tool.redact), randomBytes(32).toString('hex'))
  const meta = {
    kind: tool.kind,
    argsCommit: commit(opening),
    timeoutMs: request.timeoutMs,
    ...(user !== undefined && { user }),
    ...(command !== undefined && { command }),
  }
  const intent: Item = {
    drafts: [{ action: 'tool.invoke.intent', actor: `agent:${agent.id}`, target: tool.name, call, meta }],
    charge: { ownerUid: agent.ownerUid },
    opening: { call, opening },
    // The caller has heard that nothing was forwarded, and so it is: the unit goes back.
    landedLate: (landed) => void settle(parts, dispatch, landed, notForwarded('ledger_unavailable')),
    ...(guard && { writes: (seq: number, at: string) => [firstUse(guard, call, seq, at)] }),
  }
  const admitted = await parts.append(logs.agent(agent.id), agent.orgId, intent)
  if (admitted.ok || admitted.error.code !== 'quota_exceeded') return admitted
  return (await parts.reclaim(agent.ownerUid)) ? parts.append(logs.agent(agent.id), agent.orgId, intent) : admitted
}
