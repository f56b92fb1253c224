import type { WorkerOperation } from './operation.ts'
import { fail, ok } from '@vitrine/core/result'
import { policyPaths } from '../../store/policy-documents.ts'

/** The lockfile that belongs to a server's pin; `server_not_found` if nothing is pinned. */
export const lockfile: WorkerOperation<'lockfile'> = async ({ load }, { orgId, policyId }, { slug }) => {
  const [doc] = await load([policyPaths.lockfile(orgId, policyId, slug)])
  return doc ? ok({ lockfile: doc.lockfile }) : fail('server_not_found')
}
