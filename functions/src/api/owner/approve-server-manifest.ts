import * as z from 'zod'
import { fail, ok } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import { policyPaths, type ServerDoc } from '../../store/policy-documents.ts'
import { MANAGERS, managedPolicy } from '../../policies/managed.ts'
import { slug } from '../../policies/schema.ts'
import { logs } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'

const schema = z.strictObject({
  policyId: id,
  slug,
  manifestHash: z.string().regex(/^[0-9a-f]{64}$/, 'Must be a SHA-256 in hex.'),
})

/**
 * `{policyId, slug, manifestHash}` → `{policyId, slug, manifestHash}`: the changed list of this hash is the approved one from now on.
 * Errors: policy_not_found, permission_denied, server_not_found, manifest_not_found.
 */
export const approveServerManifest: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const { policyId, slug: name, manifestHash } = request.value

  return retryConflicts(async () => {
    const managed = await managedPolicy(parts, by, policyId, MANAGERS)
    if (!managed.ok) return managed
    const { orgId, policy } = managed.value
    if (!policy.servers.some((server) => server.slug === name)) return fail('server_not_found')
    const snapshot = await parts.db.doc(policyPaths.server(orgId, policyId, name)).get()
    const doc = snapshot.data() as ServerDoc | undefined
    if (!doc || doc.manifestPendingHash !== manifestHash) return fail('manifest_not_found')
    const change = { manifest: doc.manifestPending, manifestHash, manifestPending: null, manifestPendingHash: null }
    const meta = { ...by.via, change: 'manifest.approve', server: name, from: doc.manifestHash, to: manifestHash }
    const appended = await parts.append(logs.org(orgId), orgId, {
      drafts: [{ action: 'policy.update', actor: by.actor, target: policyId, call: '', meta }],
      writes: () => [{ op: 'update', path: snapshot.ref.path, data: change, version: snapshot.updateTime }],
    })
    return appended.ok ? ok({ policyId, slug: name, manifestHash }) : appended
  })
}
