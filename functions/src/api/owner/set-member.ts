import * as z from 'zod'
import { fail, ok } from '@vitrine/core/result'
import { orgWithRole } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import type { Write } from '../../ledger/plan.ts'
import { logs, paths, ROLES, type MemberDoc, type Role } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'
import { ensurePersonalOrg } from './personal-org.ts'

const schema = z.strictObject({ orgId: id.optional(), uid: id, role: z.enum(ROLES).nullable() })

/**
 * `{orgId?, uid, role}` → `{orgId, uid, role}`: gives a person a role in an organization (the caller's own without
 * `orgId`), or takes it with null. For owners and admins; who is or becomes one of these is the owners' to say. Nobody
 * changes their own role, so an organization keeps an owner. What a person has made stays.
 */
export const setMember: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const { uid, role } = request.value
  const orgId = request.value.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, ['owner', 'admin'])
  if (!org.ok) return org
  if (uid === by.uid) return fail('permission_denied', 'Somebody else has to change your role.')

  return retryConflicts(async () => {
    const member = await parts.db.doc(paths.member(orgId, uid)).get()
    const before = (member.data() as MemberDoc | undefined)?.role ?? null
    if (org.value.role !== 'owner' && (manages(before) || manages(role))) return fail('permission_denied')
    if (before === role) return ok({ orgId, uid, role })
    const meta = { ...by.via, change: 'member.set', before: before ?? 'none', role: role ?? 'none' }
    const appended = await parts.append(logs.org(orgId), orgId, {
      drafts: [{ action: 'policy.update', actor: by.actor, target: uid, call: '', meta }],
      writes: () => [change(member.ref.path, role, before, member.updateTime)],
    })
    return appended.ok ? ok({ orgId, uid, role }) : appended
  })
}

function change(path: string, role: Role | null, before: Role | null, version: unknown): Write {
  if (role === null) return { op: 'delete', path, version }
  const data = { role, updatedAt: new Date() }
  return before === null ? { op: 'create', path, data } : { op: 'update', path, data, version }
}

function manages(role: Role | null): boolean {
  return role === 'owner' || role === 'admin'
}
