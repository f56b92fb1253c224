import * as z from 'zod'
import type { LockfileAnswer } from '@vitrine/core/policy/policy'
import { fail, ok, type Result } from '@vitrine/core/result'
import { parse, toolName } from '../../http/parse.ts'
import type { Parts } from '../../parts.ts'
import { policyPaths, type LockfileDoc } from '../../store/policy-documents.ts'
import type { Connector } from '../../auth/connector.ts'

const schema = z.strictObject({ slug: toolName })

/** LockfileRequest → LockfileAnswer: what belongs to the pin of a server. Errors: server_not_found when nothing is pinned. */
export async function lockfile(
  { load }: Parts,
  { orgId, policyId }: Connector,
  data: unknown,
): Promise<Result<LockfileAnswer>> {
  const request = parse(schema, data)
  if (!request.ok) return request
  const [doc] = await load([policyPaths.lockfile(orgId, policyId, request.value.slug)])
  return doc ? ok({ lockfile: (doc as LockfileDoc).lockfile }) : fail('server_not_found')
}
