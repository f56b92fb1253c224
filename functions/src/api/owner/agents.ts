import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { fail, ok } from '@vitrine/core/result'
import { randomBytes } from 'node:crypto'
import { manageableAgent, roleIn } from '../../auth/owner.ts'
import { MANAGERS } from '../../policies/managed.ts'
import { checkTeams } from '../../policies/settings.ts'
import { type AgentDoc, logs, paths } from '../../store/documents.ts'
import { newId } from '../../store/ids.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { OwnerOperation } from './operation.ts'
import { ensurePersonalOrg } from './organization.ts'

/** Without `orgId` the agent joins the caller's own organization. Owners and admins may put it into teams. */
export const createAgent: OwnerOperation<'createAgent'> = async (parts, by, request) => {
  const orgId = request.orgId ?? (await ensurePersonalOrg(parts, by))
  const role = await roleIn(parts.db, by, orgId)
  if (!role) return fail('org_not_found')
  if (role === 'auditor' || (request.teams.length > 0 && !MANAGERS.includes(role))) return fail('permission_denied')
  const known = await checkTeams(parts.db, orgId, request.teams)
  if (!known.ok) return known

  const agentId = newId('agt')
  const key = formatKey('agent', agentId, randomBytes(32))
  const { name, allowedTools, teams: of } = request
  const agent: AgentDoc = {
    orgId,
    ownerUid: by.uid,
    name,
    keyHash: hashSecret(key.split('.')[2]!),
    keyVersion: 1,
    allowedTools,
    disabled: false,
    teams: of,
  }
  const now = new Date()
  // The chain's first entry states how many lanes the agent's log has, so that none can be hidden from an auditor.
  const draft = {
    action: 'key.create' as const,
    actor: by.actor,
    target: agentId,
    call: '',
    meta: { ...by.via, keyVersion: 1, lanes: 1 },
  }
  const appended = await parts.append(logs.agent(agentId), orgId, {
    drafts: [draft],
    writes: () => [{ op: 'create', path: paths.agent(agentId), data: { ...agent, createdAt: now, updatedAt: now } }],
  })
  return appended.ok ? ok({ agentId, key }) : appended
}

/** The old key fails on its next use. */
export const rotateAgentKey: OwnerOperation<'rotateAgentKey'> = async (parts, by, request) => {
  const { agentId } = request
  const key = formatKey('agent', agentId, randomBytes(32))

  return retryConflicts(async () => {
    const managed = await manageableAgent(parts.db, by, agentId)
    if (!managed.ok) return managed
    const { agent, version } = managed.value
    const change = { keyHash: hashSecret(key.split('.')[2]!), keyVersion: agent.keyVersion + 1, updatedAt: new Date() }
    const meta = { ...by.via, keyVersion: change.keyVersion }
    const appended = await parts.append(logs.agent(agentId), agent.orgId, {
      drafts: [{ action: 'key.rotate', actor: by.actor, target: agentId, call: '', meta }],
      writes: () => [{ op: 'update', path: paths.agent(agentId), data: change, version }],
    })
    return appended.ok ? ok({ key }) : appended
  })
}

/** A disabled agent can do nothing; its chain and tools remain. */
export const disableAgent: OwnerOperation<'disableAgent'> = async (parts, by, request) => {
  const { agentId, disabled } = request

  return retryConflicts(async () => {
    const managed = await manageableAgent(parts.db, by, agentId)
    if (!managed.ok) return managed
    const { agent, version } = managed.value
    const appended = await parts.append(logs.agent(agentId), agent.orgId, {
      drafts: [
        {
          action: disabled ? 'agent.disable' : 'agent.enable',
          actor: by.actor,
          target: agentId,
          call: '',
          meta: by.via,
        },
      ],
      writes: () => [{ op: 'update', path: paths.agent(agentId), data: { disabled, updatedAt: new Date() }, version }],
    })
    return appended.ok ? ok({ agentId, disabled }) : appended
  })
}

/** Only owners and admins set teams: a member who may manage an agent must not give it other teams' tools. */
export const setAgentTeams: OwnerOperation<'setAgentTeams'> = async (parts, by, request) => {
  const { agentId, teams: wanted } = request
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
