import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import type { Builtins } from '@vitrine/core/policy/policy'
import { id, label, parse } from '../../http/parse.ts'
import { changePolicy } from '../../policies/change.ts'
import { builtins, servers, teams } from '../../policies/schema.ts'
import type { Operation } from './operation.ts'

const schema = z.strictObject({
  policyId: id,
  name: label.optional(),
  teams: teams.optional(),
  builtins: builtins.optional(),
  servers: servers.optional(),
  version: z.number().int().min(1).optional(),
})

/**
 * `{policyId, name?, teams?, builtins?, servers?, version?}` → `{policyId, version}`. What is left out stays; `builtins` may name some,
 * `servers` replaces all. With `version` the change is made to that version alone. A server whose package or version becomes another loses its pin.
 * Errors: policy_not_found, permission_denied, team_not_found, slug_taken, conflict.
 */
export const updatePolicy: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const { policyId, version, name, teams: newTeams, builtins: switched, servers: newServers } = request.value
  return changePolicy(parts, by, policyId, {
    change: 'policy.edit',
    version,
    edit: ({ policy }) =>
      ok({
        name: name ?? policy.name,
        teams: newTeams ?? policy.teams,
        builtins: { ...policy.builtins, ...(switched as Partial<Builtins> | undefined) },
        servers: newServers ?? policy.servers,
      }),
  })
}
