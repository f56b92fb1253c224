/** Who may change which secret, and the change. */

import type { Action, Meta } from '@vitrine/core/log/entry'
import type { SecretScope } from '@vitrine/core/api/organization'
import { fail, ok, type Result } from '@vitrine/core/result'
import { orgWithRole, type Principal } from '../auth/owner.ts'
import type { Appended, Write } from '../ledger/plan.ts'
import { logs } from '../store/documents.ts'
import { policyPaths } from '../store/policy-documents.ts'
import { read } from '../store/path.ts'
import type { PolicyParts } from './parts.ts'
import { MANAGERS, READERS } from './managed.ts'
import { secretPaths, type SecretName } from './secret-doc.ts'

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

/**
 * Commits a change of a secret with its entry and makes workers fetch their policy again. For a user's secret they need
 * not: it travels with each call.
 */
export async function recordSecret(
  parts: PolicyParts,
  by: Principal,
  action: Action & `secret.${string}`,
  name: SecretName,
  meta: Meta,
  write: Write,
): Promise<Result<Appended>> {
  const { orgId, scope, owner } = name
  const counted = scope === 'user' ? [] : [await nextRevision(parts, orgId)]
  return parts.append(logs.org(orgId), orgId, {
    drafts: [
      {
        action,
        actor: by.actor,
        target: name.name,
        call: '',
        meta: { ...by.via, scope, ...(owner !== '' && { owner }), ...meta },
      },
    ],
    writes: () => [write, ...counted],
  })
}

async function nextRevision({ db }: PolicyParts, orgId: string): Promise<Write> {
  const path = secretPaths.revision(orgId)
  const { data, version } = await read(db, path)
  return data
    ? { op: 'update', path, data: { revision: data.revision + 1 }, version }
    : { op: 'create', path, data: { orgId, revision: 1 } }
}
