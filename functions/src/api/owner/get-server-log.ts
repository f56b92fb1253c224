import * as z from 'zod'
import { fail, ok } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import { policyPaths, type WorkersDoc } from '../../store/policy-documents.ts'
import { managedPolicy, MANAGERS } from '../../policies/managed.ts'
import { slug } from '../../policies/schema.ts'
import { liveWorkers } from '../../policies/find.ts'
import type { Operation } from './operation.ts'

/**
 * `{policyId, slug}` → `{slug, workers: [{instanceId, lines}]}`: what the server last wrote to stderr at each worker that lives, credentials taken
 * out; `lines` is null where the worker did not answer. Errors: policy_not_found, permission_denied, server_not_found.
 */
export const getServerLog: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ policyId: id, slug }), data)
  if (!request.ok) return request
  const { policyId, slug: name } = request.value
  const managed = await managedPolicy(parts, by, policyId, MANAGERS)
  if (!managed.ok) return managed
  const { orgId, policy } = managed.value
  if (!policy.servers.some((server) => server.slug === name)) return fail('server_not_found')
  const workers = (await parts.db.doc(policyPaths.workers(orgId, policyId)).get()).data() as WorkersDoc | undefined
  const read = liveWorkers(workers, name, Date.now()).map(async (worker) => ({
    instanceId: worker.instanceId,
    lines: await parts.readServerLog(worker, { policyId, slug: name, actor: by.actor }),
  }))
  return ok({ slug: name, workers: await Promise.all(read) })
}
