import * as z from 'zod'
import { formatVerifierKey } from '@vitrine/core/log/note'
import { fail, ok } from '@vitrine/core/result'
import { chainFields, namesOne, NAMES_ONE, readableChain } from '../../auth/chain.ts'
import { checkpointChain } from '../../proof/checkpoint.ts'
import { chainKey, originOf } from '../../proof/sign.ts'
import { parse } from '../../http/parse.ts'
import type { Operation } from './operation.ts'

const schema = z.strictObject(chainFields).refine(namesOne, NAMES_ONE)

/**
 * `{agentId | orgId}` → `{log, size, root, note, vkey}`: does at once for one chain what the schedule does for all. For those
 * who manage it. `vkey` is the verifier key (c2sp.org/signed-note) under which the chain's notes are signed now.
 */
export const checkpoint: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const chain = await readableChain(parts.db, by, request.value)
  if (!chain.ok) return chain
  if (!chain.value.manages) return fail('permission_denied')
  const { log } = chain.value
  const signed = await checkpointChain(parts, chain.value)
  if (!signed.ok) return signed
  if (!signed.value) return fail('receipt_not_found', 'The chain has no entries.')
  const keys = await parts.signer.keys()
  if (!keys.ok) return keys
  const { size, root, note } = signed.value
  return ok({ log, size, root, note, vkey: formatVerifierKey(chainKey(originOf(parts, log), keys.value.current)) })
}
