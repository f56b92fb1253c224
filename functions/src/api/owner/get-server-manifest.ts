import * as z from 'zod'
import type { JsonValue } from '@vitrine/core/json/value'
import { fail, ok } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import { policyPaths, type ServerDoc } from '../../store/policy-documents.ts'
import { managedPolicy, READERS } from '../../policies/managed.ts'
import { slug } from '../../policies/schema.ts'
import type { Operation } from './operation.ts'

/**
 * `{policyId, slug}` → `{slug, manifest, manifestHash, pending, pendingHash}`: the approved list of a server's tools, and the one that
 * waits for approval. All null before a worker has brought the server up. Errors: policy_not_found, permission_denied, server_not_found.
 */
export const getServerManifest: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ policyId: id, slug }), data)
  if (!request.ok) return request
  const { policyId, slug: name } = request.value
  const managed = await managedPolicy(parts, by, policyId, READERS)
  if (!managed.ok) return managed
  const { orgId, policy } = managed.value
  if (!policy.servers.some((server) => server.slug === name)) return fail('server_not_found')
  const doc = (await parts.db.doc(policyPaths.server(orgId, policyId, name)).get()).data() as ServerDoc | undefined
  const parsed = (text: string | null | undefined): JsonValue => (text ? (JSON.parse(text) as JsonValue) : null)
  return ok({
    slug: name,
    manifest: parsed(doc?.manifest),
    manifestHash: doc?.manifestHash ?? null,
    pending: parsed(doc?.manifestPending),
    pendingHash: doc?.manifestPendingHash ?? null,
  })
}
