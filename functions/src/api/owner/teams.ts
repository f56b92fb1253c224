import * as z from 'zod'
import { TEAMS_PER_ORG_MAX } from '@vitrine/core/limits'
import { fail, ok } from '@vitrine/core/result'
import { manageableAgent, orgWithRole, roleIn } from '../../auth/owner.ts'
import { id, label, parse } from '../../http/parse.ts'
import { policyPaths, type TeamDoc, type ToolPolicyDoc } from '../../store/policy-documents.ts'
import { MANAGERS, READERS } from '../../policies/managed.ts'
import { teams } from '../../policies/schema.ts'
import { checkTeams } from '../../policies/settings.ts'
import { logs, paths } from '../../store/documents.ts'
import { newId } from '../../store/ids.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'
import { ensurePersonalOrg } from './personal-org.ts'

/** `{orgId?, name}` → `{teamId}`. Errors: org_not_found, permission_denied. */
export const createTeam: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ orgId: id.optional(), name: label }), data)
  if (!request.ok) return request
  const orgId = request.value.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, MANAGERS)
  if (!org.ok) return org
  const count = await parts.db.collection(policyPaths.teams(orgId)).count().get()
  if (count.data().count >= TEAMS_PER_ORG_MAX)
    return fail('invalid_argument', `An organization has at most ${TEAMS_PER_ORG_MAX} teams.`)
  const teamId = newId('team')
  const team: TeamDoc = { orgId, name: request.value.name }
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

/** `{orgId?}` → `{teams: [{teamId, name}]}`. Errors: org_not_found, permission_denied. */
export const listTeams: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ orgId: id.optional() }), data ?? {})
  if (!request.ok) return request
  const orgId = request.value.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, READERS)
  if (!org.ok) return org
  const found = await parts.db.collection(policyPaths.teams(orgId)).get()
  return ok({ teams: found.docs.map((doc) => ({ teamId: doc.id, name: (doc.data() as TeamDoc).name })) })
}

/**
 * `{teamId, orgId?}` → `{teamId}`. A team that policies are for stays until they are for others: without it they would be for nobody.
 * Agents in it are then in it no longer; its secrets remain until they are deleted. Errors: org_not_found, permission_denied,
 * team_not_found, invalid_argument.
 */
export const deleteTeam: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ orgId: id.optional(), teamId: id }), data)
  if (!request.ok) return request
  const { teamId } = request.value
  const orgId = request.value.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, MANAGERS)
  if (!org.ok) return org
  return retryConflicts(async () => {
    const snapshot = await parts.db.doc(policyPaths.team(orgId, teamId)).get()
    if (!snapshot.exists) return fail('team_not_found')
    const policies = await parts.db.collection(policyPaths.policies(orgId)).get()
    const user = policies.docs.map((doc) => doc.data() as ToolPolicyDoc).find((policy) => isUsed(policy, teamId))
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
      writes: () => [{ op: 'delete', path: snapshot.ref.path, version: snapshot.updateTime }],
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

/**
 * `{agentId, teams}` → `{agentId, teams}`: an agent uses the policies of its teams. For owners and admins: a member who may manage an agent
 * does not give it other teams' tools. Errors: agent_not_found, permission_denied, team_not_found.
 */
export const setAgentTeams: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ agentId: id, teams }), data)
  if (!request.ok) return request
  const { agentId, teams: wanted } = request.value
  return retryConflicts(async () => {
    const managed = await manageableAgent(parts.db, by, agentId)
    if (!managed.ok) return managed
    const { agent, version } = managed.value
    const role = await roleIn(parts.db, by, agent.orgId)
    if (role === undefined || !MANAGERS.includes(role)) return fail('permission_denied')
    const known = await checkTeams(parts.db, agent.orgId, wanted)
    if (!known.ok) return known
    const meta = { ...by.via, change: 'agent.teams', teams: wanted.join(', ').slice(0, 2_000) }
    const appended = await parts.append(logs.agent(agentId), agent.orgId, {
      drafts: [{ action: 'policy.update', actor: by.actor, target: agentId, call: '', meta }],
      writes: () => [
        { op: 'update', path: paths.agent(agentId), data: { teams: wanted, updatedAt: new Date() }, version },
      ],
    })
    return appended.ok ? ok({ agentId, teams: wanted }) : appended
  })
}
