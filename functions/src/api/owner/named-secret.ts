import type { Result } from '@vitrine/core/result'
import type { Principal } from '../../auth/owner.ts'
import type { Parts } from '../../parts.ts'
import { ownSecret, type ScopedRequest } from '../../policies/secret-scope.ts'
import type { SecretName } from '../../policies/secret-doc.ts'
import { ensurePersonalOrg } from './personal-org.ts'

/** The secret that an owner means, in their own organization unless another is named. Errors: those of ownSecret. */
export async function namedSecret(
  parts: Parts,
  by: Principal,
  request: Omit<ScopedRequest, 'orgId'> & { orgId?: string | undefined },
): Promise<Result<SecretName>> {
  return ownSecret(parts, by, { ...request, orgId: request.orgId ?? (await ensurePersonalOrg(parts, by)) })
}
