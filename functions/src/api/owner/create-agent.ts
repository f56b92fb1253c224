import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { fail, ok } from '@vitrine/core/result'
import { roleIn } from '../../auth/owner.ts'
import { callName, id, label, parse } from '../../http/parse.ts'
import { MANAGERS } from '../../policies/managed.ts'
import { teams } from '../../policies/schema.ts'
import { checkTeams } from '../../policies/settings.ts'
import { logs, paths, type AgentDoc } from '../../store/documents.ts'
import { newId } from '../../store/ids.ts'
import { ensurePersonalOrg } from './personal-org.ts'
import type { Operation } from './operation.ts'

const schema = z.strictObject({
  name: label,
  orgId: id.optional(),
  allowedTools: z.array(callName).max(1000).nullable().default(null),
  teams: teams.default([]),
})

/**
 * `{name, orgId?, allowedTools?, teams?}` → `{agentId, key}`. The key is shown this once. Without `orgId` the agent joins the caller's own
 * organization; owners and admins may put it into teams. `allowedTools` names whole tools (`server`) and single commands (`server__command`). Errors: org_not_found, permission_denied, team_not_found.
 */
export const createAgent: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const orgId = request.value.orgId ?? (await ensurePersonalOrg(parts, by))
  const role = await roleIn(parts.db, by, orgId)
  if (!role) return fail('org_not_found')
  if (role === 'auditor' || (request.value.teams.length > 0 && !MANAGERS.includes(role)))
    return fail('permission_denied')
  const known = await checkTeams(parts.db, orgId, request.value.teams)
  if (!known.ok) return known

  const agentId = newId('agt')
  const key = formatKey('agent', agentId, randomBytes(32))
  const { name, allowedTools, teams: of } = request.value
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
  // The chain's first entry. It says how many lanes the agent's log has, so that none can be hidden from an auditor.
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
