import type { DenyReason } from '@vitrine/core/policy/decide'
import type { Meta } from '@vitrine/core/log/entry'
import type { Failure, Result } from '@vitrine/core/result'
import type { Agent } from '../auth/agent.ts'
import type { Append } from '../ledger/ledger.ts'
import { logDenial } from '../lib/log.ts'
import { logs } from '../store/documents.ts'

/** How the calls of a known agent are refused: what the caller hears, and what the chain says of it. */

/** Why a call was refused, for those who may read the chain. The agent hears less. */
export type RecordedReason =
  | DenyReason
  | 'quota_exceeded'
  | 'credential_access_disabled'
  | 'manifest_changed'
  | 'circuit_open'
  | 'worker_absent'
  | 'server_failed'

export interface Refusal {
  /** What the caller hears. */
  error: Failure
  /** Absent for a refusal that leaves no entry. */
  record?: RecordedReason
  /** Added to the entry's own meta. */
  meta?: Meta
}

/** What a step of the pipeline gives to the next one, or why it ends the call. */
export type Step<T> = Result<T, Refusal>

export function refusal(error: Failure, record?: RecordedReason, meta?: Meta): { ok: false; error: Refusal } {
  return { ok: false, error: { error, ...(record && { record }), ...(meta && { meta }) } }
}

/** Records a refusal if it is to be recorded, and passes its error on. The refusal stands even if it can't be recorded. */
export async function refuse(
  { append }: { append: Append },
  { agent, target, meta }: { agent: Agent; target: string; meta: Meta },
  { error, record, meta: ownMeta }: Refusal,
): Promise<Result<never>> {
  if (record === undefined) return { ok: false, error }
  logDenial(record, error.code)
  const draft = {
    action: 'tool.deny' as const,
    actor: `agent:${agent.id}`,
    target,
    call: '',
    meta: { ...meta, ...ownMeta, reason: record, code: error.code },
  }
  await append(logs.agent(agent.id), agent.orgId, { drafts: [draft] })
  return { ok: false, error }
}
