import * as z from 'zod'
import { QUOTA_DEFAULT } from '@vitrine/core/limits'
import { monthOf } from '@vitrine/core/names'
import { ok } from '@vitrine/core/result'
import type { Usage } from '@vitrine/core/log/segment'
import { readableAgent } from '../../auth/owner.ts'
import { id, month, parse } from '../../http/parse.ts'
import { logs, paths, type OwnerDoc } from '../../store/documents.ts'
import type { Operation } from './operation.ts'

/** `{agentId, month?}` → `{month, invoked, credited, limit}`: units the agent was charged and given back, and its owner's limit. */
export const getUsage: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id, month: month.optional() }), data)
  if (!request.ok) return request
  const { agentId } = request.value
  const wanted = request.value.month ?? monthOf(new Date().toISOString())
  const readable = await readableAgent(parts.db, by, agentId)
  if (!readable.ok) return readable
  const { ownerUid } = readable.value.agent
  const { db } = parts
  const [usageDoc, quota, owner] = await db.getAll(
    db.doc(paths.usage(logs.agent(agentId), wanted)),
    db.doc(paths.quota(ownerUid, wanted)),
    db.doc(paths.owner(ownerUid)),
  )
  const usage = usageDoc?.data() as Usage | undefined
  const limit =
    (quota?.data()?.['limit'] as number | undefined) ??
    (owner?.data() as OwnerDoc | undefined)?.monthlyInvocations ??
    QUOTA_DEFAULT
  return ok({ month: wanted, invoked: usage?.invoked ?? 0, credited: usage?.credited ?? 0, limit })
}
