import { FieldValue } from 'firebase-admin/firestore'
import * as z from 'zod'
import { ok, type Result } from '@vitrine/core/result'
import { answered } from '../../store/answered.ts'
import { id, parse } from '../../http/parse.ts'
import type { Parts } from '../../parts.ts'
import { policyPaths } from '../../store/policy-documents.ts'
import type { Connector } from '../../auth/connector.ts'

/** `{instanceId}` → `{}`: no calls are sent to this worker from now on. */
export async function disconnect(
  { db }: Parts,
  { orgId, policyId }: Connector,
  data: unknown,
): Promise<Result<Record<string, never>>> {
  const request = parse(z.strictObject({ instanceId: id }), data)
  if (!request.ok) return request
  await answered(
    db
      .doc(policyPaths.workers(orgId, policyId))
      .update({ [`workers.${request.value.instanceId}`]: FieldValue.delete() }),
  )
  return ok({})
}
