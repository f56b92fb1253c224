import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { orgWithRole } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import { describePolicy } from '../../policies/described.ts'
import { policyPaths, type ToolPolicyDoc } from '../../store/policy-documents.ts'
import { READERS } from '../../policies/managed.ts'
import type { Operation } from './operation.ts'
import { ensurePersonalOrg } from './personal-org.ts'

/** `{orgId?}` → `{policies}`, by name. Errors: org_not_found, permission_denied. */
export const listPolicies: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ orgId: id.optional() }), data ?? {})
  if (!request.ok) return request
  const orgId = request.value.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, READERS)
  if (!org.ok) return org
  const found = await parts.db.collection(policyPaths.policies(orgId)).get()
  const policies = found.docs.map((doc) => describePolicy(doc.id, doc.data() as ToolPolicyDoc))
  return ok({
    policies: policies.sort((a, b) => a.name.localeCompare(b.name, 'en') || (a.policyId < b.policyId ? -1 : 1)),
  })
}
