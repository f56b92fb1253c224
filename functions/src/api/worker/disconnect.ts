import type { WorkerOperation } from './operation.ts'
import { FieldValue } from 'firebase-admin/firestore'
import { ok } from '@vitrine/core/result'
import { answered } from '../../store/answered.ts'
import { policyPaths } from '../../store/policy-documents.ts'

/** The worker is sent no more calls. */
export const disconnect: WorkerOperation<'disconnect'> = async ({ db }, { orgId, policyId }, { instanceId }) => {
  const workers = db.doc(policyPaths.workers(orgId, policyId))
  await answered(workers.update({ [`workers.${instanceId}`]: FieldValue.delete() }))
  return ok({})
}
