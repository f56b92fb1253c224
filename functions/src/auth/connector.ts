import { fail, ok, type Result } from '@vitrine/core/result'
import { readBearer } from './bearer.ts'
import { matchesHash } from './secret.ts'
import { describeRequest } from '../lib/log.ts'
import type { Load } from '../store/load.ts'
import { policyPaths } from '../store/policy-documents.ts'

/** A process that holds a policy's connector key. */
export interface Connector {
  orgId: string
  policyId: string
}

/**
 * Checks a connector key against its document as read for this call: the key of a deleted policy fails on its next use,
 * and so does a replaced key. Errors: unauthenticated, malformed_key, invalid_key, permission_denied.
 */
export async function authenticateConnector(
  { load }: { load: Load },
  authorization: string | undefined,
): Promise<Result<Connector>> {
  const bearer = readBearer(authorization)
  if (!bearer.ok) return bearer
  if (bearer.value.type !== 'key' || bearer.value.key.kind !== 'tools')
    return fail('permission_denied', 'This call takes a connector key.')
  const { id: policyId, secret } = bearer.value.key
  const [data] = await load([policyPaths.key(policyId)])
  const key = data
  if (!matchesHash(secret, key?.hash) || !key) return fail('invalid_key')
  describeRequest({ principal: { kind: 'worker', id: policyId } })
  return ok({ orgId: key.orgId, policyId })
}

/** The actor of audit entries. */
export function connectorActor({ policyId }: Connector): string {
  return `worker:${policyId}`
}
