import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import { describePolicy, describeServer, describeWorkers } from '../../policies/described.ts'
import { policyPaths, type ServerDoc, type WorkersDoc } from '../../store/policy-documents.ts'
import { managedPolicy, READERS } from '../../policies/managed.ts'
import type { Operation } from './operation.ts'

/**
 * `{policyId}` → `{policy, servers, workers}`: the policy, pins and circuits of its servers, and which workers serve it in what state.
 * Errors: policy_not_found, permission_denied.
 */
export const getPolicy: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ policyId: id }), data)
  if (!request.ok) return request
  const { policyId } = request.value
  const managed = await managedPolicy(parts, by, policyId, READERS)
  if (!managed.ok) return managed
  const { orgId, policy } = managed.value
  const [workersDoc, ...servers] = await parts.db.getAll(
    parts.db.doc(policyPaths.workers(orgId, policyId)),
    ...policy.servers.map(({ slug }) => parts.db.doc(policyPaths.server(orgId, policyId, slug))),
  )
  const workers = workersDoc?.data() as WorkersDoc | undefined
  const nowMs = Date.now()
  return ok({
    policy: describePolicy(policyId, policy),
    servers: policy.servers.map((server, i) =>
      describeServer(server, servers[i]?.data() as ServerDoc | undefined, workers, policy.revision, nowMs),
    ),
    workers: describeWorkers(workers, nowMs),
  })
}
