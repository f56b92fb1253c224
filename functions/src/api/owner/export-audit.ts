import { parseRequest } from '../../http/parse.ts'
import type { Result } from '@vitrine/core/result'
import { readableChain } from '../../auth/chain.ts'
import { authenticateOwner } from '../../auth/owner.ts'
import type { Call } from '../../http/callable.ts'
import type { Parts } from '../../parts.ts'
import { bundle } from '../../proof/bundle.ts'

/**
 * exportAudit: the bundle as JSONL, for `vitrine-verify`. Everyone who may read the audit gets it; only managers get
 * the openings.
 */
export async function exportAudit(parts: Parts, call: Call): Promise<Result<AsyncGenerator<string, void>>> {
  const by = await authenticateOwner(parts.auth, parts.db, call.authorization)
  if (!by.ok) return by
  const request = parseRequest('exportAudit', call.data)
  if (!request.ok) return request
  const chain = await readableChain(parts.db, by.value, request.value)
  if (!chain.ok) return chain
  const { log, orgId, manages } = chain.value
  return bundle(parts, { log, orgId, openings: manages }, request.value.resume)
}
