import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { orgWithRole } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import { MANAGERS, READERS } from '../../policies/managed.ts'
import { secretPaths, type SecretName } from '../../policies/secret-doc.ts'
import type { Operation } from './operation.ts'
import { ensurePersonalOrg } from './personal-org.ts'

/**
 * `{orgId?}` → `{secrets: [{scope, team?, name}]}`: those that the caller may change, by name and scope. What they hold, or where that is, is
 * not even read. Errors: org_not_found, permission_denied.
 */
export const listSecrets: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ orgId: id.optional() }), data ?? {})
  if (!request.ok) return request
  const orgId = request.value.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, READERS)
  if (!org.ok) return org
  const named = parts.db.collection(secretPaths.secrets(orgId)).select('scope', 'owner', 'name')
  const [own, shared] = await Promise.all([
    named.where('scope', '==', 'user').where('owner', '==', by.uid).get(),
    MANAGERS.includes(org.value.role) ? named.where('scope', 'in', ['org', 'team']).get() : undefined,
  ])
  const found = [...(shared?.docs ?? []), ...own.docs].map((doc) => doc.data() as Omit<SecretName, 'orgId'>)
  return ok({
    secrets: found.map(({ scope, owner, name }) => ({ scope, ...(scope === 'team' && { team: owner }), name })),
  })
}
