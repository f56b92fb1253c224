import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { manageableAgent } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import { reconcileChain } from '../../proof/reconcile.ts'
import { logs } from '../../store/documents.ts'
import type { Operation } from './operation.ts'

/** `{agentId}` → `{closed}`: does at once for one agent what the schedule does for all. */
export const reconcile: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id }), data)
  if (!request.ok) return request
  const { agentId } = request.value
  const managed = await manageableAgent(parts.db, by, agentId)
  return managed.ok
    ? ok({ closed: await reconcileChain(parts, logs.agent(agentId), managed.value.agent.orgId) })
    : managed
}
