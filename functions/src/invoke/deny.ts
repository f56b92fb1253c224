import type { DenyReason } from '@vitrine/core/policy/decide'
import type { Meta } from '@vitrine/core/log/entry'
import type { Failure, Result } from '@vitrine/core/result'
import type { Agent } from '../auth/agent.ts'
import { logDenial } from '../lib/log.ts'
import type { InvokeParts } from './parts.ts'
import { logs } from '../store/documents.ts'

/** Records the refusal of a known agent and passes it on. A ledger that cannot be written makes no refusal undone. */
export async function deny(
  parts: InvokeParts,
  agent: Agent,
  target: string,
  reason:
    | DenyReason
    | 'quota_exceeded'
    | 'credential_access_disabled'
    | 'manifest_changed'
    | 'circuit_open'
    | 'worker_absent',
  error: Failure,
  meta: Meta,
): Promise<Result<never>> {
  logDenial(reason, error.code)
  const draft = {
    action: 'tool.deny' as const,
    actor: `agent:${agent.id}`,
    target,
    call: '',
    meta: { ...meta, reason, code: error.code },
  }
  await parts.append(logs.agent(agent.id), agent.orgId, { drafts: [draft] })
  return { ok: false, error }
}
