import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import { changePolicy } from '../../policies/change.ts'
import { teams } from '../../policies/schema.ts'
import type { Operation } from './operation.ts'

const schema = z.strictObject({ policyId: id, teams })

/**
 * `{policyId, teams}` → `{policyId, version}`: only agents of these teams may use the policy; with none, all of the organization's.
 * Errors: policy_not_found, permission_denied, team_not_found, slug_taken.
 */
export const assignPolicy: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  return changePolicy(parts, by, request.value.policyId, {
    change: 'policy.assign',
    edit: ({ policy: { name, builtins, servers } }) => ok({ name, builtins, servers, teams: request.value.teams }),
  })
}
