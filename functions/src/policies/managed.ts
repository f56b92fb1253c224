import type { Role } from '@vitrine/core/api/organization'
import { fail, ok, type Result } from '@vitrine/core/result'
import { roleIn, type Principal } from '../auth/owner.ts'
import type { PolicyParts } from './parts.ts'
import { read, type Read } from '../store/path.ts'
import { policyPaths, type ToolKeyDoc, type ToolPolicyDoc } from '../store/policy-documents.ts'

export const MANAGERS: readonly Role[] = ['owner', 'admin']
export const READERS: readonly Role[] = ['owner', 'admin', 'member']

/** A policy as read now, with the document versions that changes require. */
export interface Managed {
  policyId: string
  orgId: string
  policy: ToolPolicyDoc
  version: Read<ToolPolicyDoc>['version']
  key: ToolKeyDoc
  keyVersion: Read<ToolKeyDoc>['version']
}

/**
 * Errors: policy_not_found, also for another organization's policy; permission_denied for a member without one of the
 * roles.
 */
export async function managedPolicy(
  parts: Pick<PolicyParts, 'db'>,
  by: Principal,
  policyId: string,
  roles: readonly Role[],
): Promise<Result<Managed>> {
  const { db } = parts
  const { data: key, version: keyVersion } = await read(db, policyPaths.key(policyId))
  const role = key && (await roleIn(db, by, key.orgId))
  if (!key || !role) return fail('policy_not_found')
  if (!roles.includes(role)) return fail('permission_denied')
  const { data: policy, version } = await read(db, policyPaths.policy(key.orgId, policyId))
  return policy ? ok({ policyId, orgId: key.orgId, policy, version, key, keyVersion }) : fail('policy_not_found')
}
