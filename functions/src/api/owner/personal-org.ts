import type { Principal } from '../../auth/owner.ts'
import type { Parts } from '../../parts.ts'
import { logs, paths, type MemberDoc, type OrgDoc } from '../../store/documents.ts'

/** The id of the organization of a caller who named none: an owner key's, else their own, which is made on first use. */
export async function ensurePersonalOrg(parts: Parts, by: Principal): Promise<string> {
  const orgId = by.keyOrgId ?? by.uid
  if ((await parts.db.doc(paths.org(orgId)).get()).exists) return orgId
  const now = new Date()
  const org: OrgDoc = { name: 'Personal', credentialAccess: true }
  const member: MemberDoc = { role: 'owner' }
  // A concurrent first use may win; either way the organization is there afterwards.
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
