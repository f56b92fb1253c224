import * as z from 'zod'
import type { Result } from '@vitrine/core/result'
import { chainFields, namesOne, NAMES_ONE, readableChain } from '../../auth/chain.ts'
import { authenticateOwner } from '../../auth/owner.ts'
import type { Call } from '../../http/callable.ts'
import { parse, seq } from '../../http/parse.ts'
import type { Parts } from '../../parts.ts'
import { bundle } from '../../proof/bundle.ts'

const count = seq
const resume = z.strictObject({
  log: z.string().max(200),
  size: count,
  seq: z.number().int().min(-1),
  chains: count.default(0),
  entries: count.default(0),
})
const schema = z.strictObject({ ...chainFields, resume: resume.optional() }).refine(namesOne, NAMES_ONE)

/**
 * exportAudit: `{agentId | orgId, resume?: {log, size, seq, chains?, entries?}}` → the bundle as JSONL, for `vitrine-verify`. With
 * `orgId` all chains of the organization. For all who may read the audit; openings only for those who manage. Errors:
 * those of readableChain and bundle.
 */
export async function exportAudit(parts: Parts, call: Call): Promise<Result<AsyncGenerator<string, void>>> {
  const by = await authenticateOwner(parts.auth, parts.db, call.authorization)
  if (!by.ok) return by
  const request = parse(schema, call.data)
  if (!request.ok) return request
  const chain = await readableChain(parts.db, by.value, request.value)
  if (!chain.ok) return chain
  const { log, orgId, manages } = chain.value
  return bundle(parts, { log, orgId, openings: manages }, request.value.resume)
}
