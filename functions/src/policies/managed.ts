import type { Role } from '@vitrine/core/api/organization'
import type { DocumentSnapshot } from 'firebase-admin/firestore'
import { fail, ok, type Result } from '@vitrine/core/result'
import { roleIn, type Principal } from '../auth/owner.ts'
import type { PolicyParts } from './parts.ts'
import { policyPaths, type ToolKeyDoc, type ToolPolicyDoc } from '../store/policy-documents.ts'

export const MANAGERS: readonly Role[] = ['owner', 'admin']
export const READERS: readonly Role[] = ['owner', 'admin', 'member']

/** A policy as read now, with the document versions that changes require. */
export interface Managed {
  policyId: string
  orgId: string
  policy: ToolPolicyDoc
  version: DocumentSnapshot['updateTime']
  key: ToolKeyDoc
  keyVersion: DocumentSnapshot['updateTime']
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
  const keySnapshot = await db.doc(policyPaths.key(policyId)).get()
  const key = keySnapshot.data() as ToolKeyDoc | undefined
  const role = key && (await roleIn(db, by, key.orgId))
  if (!key || !role) return fail('policy_not_found')
  if (!roles.includes(role)) return fail('permission_denied')
  const snapshot = await db.doc(policyPaths.policy(key.orgId, policyId)).get()
  const policy = snapshot.data() as ToolPolicyDoc | undefined
  if (!policy) return fail('policy_not_found')
  return ok({
    policyId,
    orgId: key.orgId,
    policy,
    version: snapshot.updateTime,
    key,
    keyVersion: keySnapshot.updateTime,
  })
}
