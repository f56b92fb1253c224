import { fail, ok, type Result } from '@vitrine/core/result'
import { orgWithRole, type Principal } from '../auth/owner.ts'
import type { PolicyParts } from './parts.ts'
import { policyPaths } from '../store/policy-documents.ts'
import { MANAGERS, READERS } from './managed.ts'
import type { SecretScope } from '@vitrine/core/api/organization'
import type { SecretName } from './secret-doc.ts'

export interface ScopedRequest {
  orgId: string
  scope: SecretScope
  team?: string | undefined
  name: string
}

/**
 * The secret that a request means, if the principal may change it: owners and admins those of the organization and its
 * teams, members their own. Errors: org_not_found, permission_denied, invalid_argument.
 */
export async function ownSecret(
  parts: Pick<PolicyParts, 'db'>,
  by: Principal,
  { orgId, scope, team, name }: ScopedRequest,
): Promise<Result<SecretName>> {
  if ((scope === 'team') !== (team !== undefined)) {
    return fail(
      'invalid_argument',
      scope === 'team' ? 'team: Name the team.' : `team: A secret of scope ${scope} has none.`,
      { field: 'team' },
    )
  }
  const org = await orgWithRole(parts.db, by, orgId, scope === 'user' ? READERS : MANAGERS)
  if (!org.ok) return org
  return ok({ orgId, scope, owner: scope === 'user' ? by.uid : (team ?? ''), name })
}

/** Errors: team_not_found. */
export async function checkTeam(
  { db }: Pick<PolicyParts, 'db'>,
  { orgId, scope, owner }: SecretName,
): Promise<Result<null>> {
  if (scope !== 'team' || (await db.doc(policyPaths.team(orgId, owner)).get()).exists) return ok(null)
  return fail('team_not_found', undefined, { field: 'team' })
}
