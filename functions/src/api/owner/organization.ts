import type { Role } from '@vitrine/core/api/organization'
import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { QUOTA_DEFAULT } from '@vitrine/core/limits'
import { monthEnd, monthOf } from '@vitrine/core/names'
import { fail, ok } from '@vitrine/core/result'
import { randomBytes } from 'node:crypto'
import { type Principal, orgWithRole, readableAgent, roleIn } from '../../auth/owner.ts'
import { monthUsage } from '../../ledger/month-usage.ts'
import { ownerUsage } from '../../ledger/owner-usage.ts'
import type { Write } from '../../ledger/plan.ts'
import type { Parts } from '../../parts.ts'
import { type MemberDoc, type OrgDoc, type OwnerKeyDoc, logs, paths } from '../../store/documents.ts'
import { newId } from '../../store/ids.ts'
import { read, readAll } from '../../store/path.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { OwnerOperation } from './operation.ts'

/** The organization of a caller who named none: the owner key's, or else the caller's own, created on first use. */
export async function ensurePersonalOrg(parts: Parts, by: Principal): Promise<string> {
  const orgId = by.keyOrgId ?? by.uid
  if ((await parts.db.doc(paths.org(orgId)).get()).exists) return orgId
  const now = new Date()
  const org: OrgDoc = { name: 'Personal', credentialAccess: true }
  const member: MemberDoc = { role: 'owner' }
  // A concurrent first use may win; either way the organization exists afterwards.
  await parts.append(logs.org(orgId), orgId, {
    drafts: [
      { action: 'policy.update', actor: by.actor, target: orgId, call: '', meta: { ...by.via, change: 'org.create' } },
    ],
    writes: () => [
      { op: 'create', path: paths.org(orgId), data: { ...org, createdAt: now } },
      { op: 'create', path: paths.member(orgId, by.uid), data: { ...member, createdAt: now } },
    ],
  })
  return orgId
}

/**
 * Owners and admins set roles; only owners set or change the roles owner and admin. Nobody changes their own role, so
 * an organization always keeps an owner. What a person made remains when they leave.
 */
export const setMember: OwnerOperation<'setMember'> = async (parts, by, request) => {
  const { uid, role } = request
  const orgId = request.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, ['owner', 'admin'])
  if (!org.ok) return org
  if (uid === by.uid) return fail('permission_denied', 'Somebody else has to change your role.')

  return retryConflicts(async () => {
    const path = paths.member(orgId, uid)
    const { data: member, version } = await read(parts.db, path)
    const before = member?.role ?? null
    if (org.value.role !== 'owner' && (manages(before) || manages(role))) return fail('permission_denied')
    if (before === role) return ok({ orgId, uid, role })
    const meta = { ...by.via, change: 'member.set', before: before ?? 'none', role: role ?? 'none' }
    const appended = await parts.append(logs.org(orgId), orgId, {
      drafts: [{ action: 'policy.update', actor: by.actor, target: uid, call: '', meta }],
      writes: () => [change(path, role, before, version)],
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

/**
 * The limit applies at once, to the current month too: units that agents leased under the old limit and have not spent
 * are taken back.
 */
export const setQuota: OwnerOperation<'setQuota'> = async (parts, by, request) => {
  const { monthlyInvocations: limit } = request
  const ownerUid = request.ownerUid ?? by.uid
  const orgId = request.orgId ?? by.keyOrgId ?? by.uid
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

/** Units that the agent was charged and given back, and its owner's limit. */
export const getUsage: OwnerOperation<'getUsage'> = async (parts, by, request) => {
  const { agentId } = request
  const wanted = request.month ?? monthOf(new Date().toISOString())
  const readable = await readableAgent(parts.db, by, agentId)
  if (!readable.ok) return readable
  const { ownerUid } = readable.value.agent
  const [usage, [{ data: quota }, { data: owner }]] = await Promise.all([
    monthUsage(parts.db, logs.agent(agentId), wanted),
    readAll(parts.db, [paths.quota(ownerUid, wanted), paths.owner(ownerUid)]),
  ])
  const limit = quota?.limit ?? owner?.monthlyInvocations ?? QUOTA_DEFAULT
  return ok({ month: wanted, invoked: usage?.invoked ?? 0, credited: usage?.credited ?? 0, limit })
}

/** The key acts for its maker within one organization. */
export const createOwnerKey: OwnerOperation<'createOwnerKey'> = async (parts, by, request) => {
  const orgId = request.orgId ?? (await ensurePersonalOrg(parts, by))
  if (!(await roleIn(parts.db, by, orgId))) return fail('org_not_found')

  const keyId = newId('key')
  const key = formatKey('owner', keyId, randomBytes(32))
  const doc: OwnerKeyDoc = {
    uid: by.uid,
    orgId,
    label: request.label,
    hash: hashSecret(key.split('.')[2]!),
    revoked: false,
  }
  const appended = await parts.append(logs.org(orgId), orgId, {
    drafts: [{ action: 'key.create', actor: by.actor, target: keyId, call: '', meta: { ...by.via, label: doc.label } }],
    writes: () => [{ op: 'create', path: paths.ownerKey(keyId), data: { ...doc, createdAt: new Date() } }],
  })
  return appended.ok ? ok({ keyId, key }) : appended
}

/** People revoke their own keys; owners and admins revoke any key of the organization. */
export const revokeOwnerKey: OwnerOperation<'revokeOwnerKey'> = async (parts, by, request) => {
  const { keyId } = request
  const { data: doc } = await read(parts.db, paths.ownerKey(keyId))
  const role = doc && (await roleIn(parts.db, by, doc.orgId))
  const mayRevoke = role === 'owner' || role === 'admin' || (role !== undefined && doc?.uid === by.uid)
  if (!doc || !mayRevoke) return fail('key_not_found')

  const appended = await parts.append(logs.org(doc.orgId), doc.orgId, {
    drafts: [{ action: 'key.revoke', actor: by.actor, target: keyId, call: '', meta: by.via }],
    writes: () => [{ op: 'update', path: paths.ownerKey(keyId), data: { revoked: true, revokedAt: new Date() } }],
  })
  return appended.ok ? ok({ keyId }) : appended
}
