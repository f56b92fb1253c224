import * as z from 'zod'
import { QUOTA_MAX } from '@vitrine/core/limits'
import { monthEnd, monthOf } from '@vitrine/core/names'
import { fail, ok } from '@vitrine/core/result'
import { roleIn } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import { logs, paths } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import { ownerUsage } from '../../ledger/owner-usage.ts'
import type { Operation } from './operation.ts'

const schema = z.strictObject({
  ownerUid: id.optional(),
  orgId: id.optional(),
  monthlyInvocations: z.number().int().min(0).max(QUOTA_MAX),
})

/**
 * `{ownerUid?, orgId?, monthlyInvocations}` → `{limit, used, resetsAt}`, by an owner or admin of the organization
 * (the caller's own without `orgId`) for one of its members. It holds from now on, this month included: what agents
 * have leased under the old limit and not spent is taken back.
 */
export const setQuota: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const { monthlyInvocations: limit } = request.value
  const ownerUid = request.value.ownerUid ?? by.uid
  const orgId = request.value.orgId ?? by.keyOrgId ?? by.uid
  const role = await roleIn(parts.db, by, orgId)
  if (!role) return fail('org_not_found')
  if (role !== 'owner' && role !== 'admin') return fail('permission_denied')
  if (!(await parts.db.doc(paths.member(orgId, ownerUid)).get()).exists)
    return fail('permission_denied', 'That owner is not a member of the organization.')

  return retryConflicts(async () => {
    const month = monthOf(new Date().toISOString())
    const quota = await parts.db.doc(paths.quota(ownerUid, month)).get()
    const leased = (quota.data()?.['leased'] as number | undefined) ?? 0
    const path = quota.ref.path
    const appended = await parts.append(logs.org(orgId), orgId, {
      drafts: [
        {
          action: 'quota.update',
          actor: by.actor,
          target: ownerUid,
          call: '',
          meta: { ...by.via, monthlyInvocations: limit },
        },
      ],
      writes: () => [
        { op: 'set', path: paths.owner(ownerUid), data: { monthlyInvocations: limit } },
        quota.exists
          ? { op: 'update', path, data: { limit }, version: quota.updateTime }
          : { op: 'create', path, data: { limit, leased } },
      ],
    })
    if (!appended.ok) return appended
    await parts.reclaim(ownerUid, 'always')
    const { used } = await ownerUsage(parts.db, ownerUid, month)
    return ok({ limit, used, resetsAt: monthEnd(month) })
  })
}
