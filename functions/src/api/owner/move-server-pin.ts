import * as z from 'zod'
import { isNodeServer } from '@vitrine/core/policy/policy'
import { fail, ok } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import { changePolicy } from '../../policies/change.ts'
import { slug, versionSpec } from '../../policies/schema.ts'
import type { Operation } from './operation.ts'

const schema = z.strictObject({ policyId: id, slug, version: versionSpec })

/**
 * `{policyId, slug, version}` → `{policyId, version}`: takes the pin of a server away, so that workers resolve `version` and
 * what it depends on anew, and what they then find is pinned. Errors: policy_not_found, permission_denied, server_not_found, invalid_argument for a server of
 * the node, which has no version.
 */
export const moveServerPin: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const { policyId, slug: name, version } = request.value
  return changePolicy(parts, by, policyId, {
    change: 'server.move',
    meta: { server: name, spec: version },
    unpin: [name],
    edit: ({ policy: { name: policyName, teams, builtins, servers } }) => {
      const moved = servers.find((server) => server.slug === name)
      if (!moved) return fail('server_not_found')
      if (isNodeServer(moved))
        return fail('invalid_argument', 'slug: A server of the node has no version.', { field: 'slug' })
      return ok({
        name: policyName,
        teams,
        builtins,
        servers: servers.map((server) => (server === moved ? { ...moved, version } : server)),
      })
    },
  })
}
