import { FieldValue } from 'firebase-admin/firestore'
import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { manageableAgent } from '../../auth/owner.ts'
import { id, label, parse, seq } from '../../http/parse.ts'
import { findOpening } from '../../proof/opening.ts'
import { logs } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'

/**
 * `{agentId, seq, reason?}` → `{call, receipt}`: erases the arguments of the invocation whose intent is number `seq`, and says so on
 * the chain. The chain still verifies: it holds a commitment alone, which nobody can open now. Errors: receipt_not_found,
 * opening_not_found (no invocation, or erased before).
 */
export const redact: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id, seq, reason: label.optional() }), data)
  if (!request.ok) return request
  const { agentId, reason = '' } = request.value
  const log = logs.agent(agentId)

  return retryConflicts(async () => {
    const managed = await manageableAgent(parts.db, by, agentId)
    if (!managed.ok) return managed
    const found = await findOpening(parts, log, request.value.seq)
    if (!found.ok) return found
    const { call, path, version } = found.value
    const appended = await parts.append(log, managed.value.agent.orgId, {
      drafts: [{ action: 'redaction', actor: by.actor, target: call, call: '', meta: { ...by.via, reason } }],
      writes: () => [{ op: 'update', path, data: { [`openings.${call}`]: FieldValue.delete() }, version }],
    })
    return appended.ok ? ok({ call, receipt: appended.value.receipts[0]! }) : appended
  })
}
