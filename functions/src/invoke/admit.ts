import { randomBytes } from 'node:crypto'
import { commit, openingOf } from '@vitrine/core/log/commitment'
import { redactArgs } from '@vitrine/core/scrub/redact'
import type { Result } from '@vitrine/core/result'
import type { Agent } from '../auth/agent.ts'
import type { Callee } from './callee.ts'
import { firstUse, type Guard } from './idempotency.ts'
import type { InvokeRequest } from './request.ts'
import type { Appended, Item } from '../ledger/plan.ts'
import type { Parts } from '../parts.ts'
import { notForwarded, settle } from './settle.ts'
import { logs } from '../store/documents.ts'
import type { Target } from './target.ts'

/** One invocation from the moment it is let in. */
export interface Dispatch {
  /** Its id, which intent and outcome share. */
  call: string
  agent: Agent
  /** The user that it is made for. */
  user: string | undefined
  tool: Callee
  request: InvokeRequest
  target: Target
  guard: Guard | undefined
}

/** Makes the intent durable and spends a unit; nothing is forwarded before this has succeeded. Errors: quota_exceeded, ledger_unavailable, conflict for a used key. */
export async function admit(parts: Parts, dispatch: Dispatch): Promise<Result<Appended>> {
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
