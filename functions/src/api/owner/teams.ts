import { TEAMS_PER_ORG_MAX } from '@vitrine/core/limits'
import { fail, ok } from '@vitrine/core/result'
import { orgWithRole } from '../../auth/owner.ts'
import { MANAGERS, READERS } from '../../policies/managed.ts'
import { logs } from '../../store/documents.ts'
import { newId } from '../../store/ids.ts'
import { collection, read } from '../../store/path.ts'
import { type TeamDoc, type ToolPolicyDoc, policyPaths } from '../../store/policy-documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { OwnerOperation } from './operation.ts'
import { ensurePersonalOrg } from './organization.ts'

export const createTeam: OwnerOperation<'createTeam'> = async (parts, by, request) => {
  const orgId = request.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, MANAGERS)
  if (!org.ok) return org
  const count = await collection(parts.db, policyPaths.teams(orgId)).count().get()
  if (count.data().count >= TEAMS_PER_ORG_MAX)
    return fail('invalid_argument', `An organization has at most ${TEAMS_PER_ORG_MAX} teams.`)
  const teamId = newId('team')
  const team: TeamDoc = { orgId, name: request.name }
  const appended = await parts.append(logs.org(orgId), orgId, {
    drafts: [
      {
        action: 'policy.update',
        actor: by.actor,
        target: teamId,
        call: '',
        meta: { ...by.via, change: 'team.create', name: team.name },
      },
    ],
    writes: () => [{ op: 'create', path: policyPaths.team(orgId, teamId), data: { ...team, createdAt: new Date() } }],
  })
  return appended.ok ? ok({ teamId }) : appended
}

export const listTeams: OwnerOperation<'listTeams'> = async (parts, by, request) => {
  const orgId = request.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, READERS)
  if (!org.ok) return org
  const found = await collection(parts.db, policyPaths.teams(orgId)).get()
  return ok({ teams: found.docs.map((doc) => ({ teamId: doc.id, name: doc.data().name })) })
}

/**
 * Refused while a policy names the team: without it, the policy would apply to nobody. Agents leave the deleted team;
 * its secrets remain until they are deleted.
 */
export const deleteTeam: OwnerOperation<'deleteTeam'> = async (parts, by, request) => {
  const { teamId } = request
  const orgId = request.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, MANAGERS)
  if (!org.ok) return org
  return retryConflicts(async () => {
    const path = policyPaths.team(orgId, teamId)
    const { data: team, version } = await read(parts.db, path)
    if (!team) return fail('team_not_found')
    const policies = await collection(parts.db, policyPaths.policies(orgId)).get()
    const user = policies.docs.map((doc) => doc.data()).find((policy) => isUsed(policy, teamId))
    if (user)
      return fail('invalid_argument', `teamId: The tool policy "${user.name}" names this team.`, { field: 'teamId' })
    const appended = await parts.append(logs.org(orgId), orgId, {
      drafts: [
        {
          action: 'policy.update',
          actor: by.actor,
          target: teamId,
          call: '',
          meta: { ...by.via, change: 'team.delete' },
        },
      ],
      writes: () => [{ op: 'delete', path, version }],
    })
    return appended.ok ? ok({ teamId }) : appended
  })
}

function isUsed({ teams: of, servers }: ToolPolicyDoc, teamId: string): boolean {
  return (
    of.includes(teamId) ||
    servers.some(({ env }) => env.some((variable) => variable.source === 'team_secret' && variable.team === teamId))
  )
}
