import * as z from 'zod'
import { chainFields, namesOne, NAMES_ONE, readableChain } from '../../auth/chain.ts'
import { parse, seq } from '../../http/parse.ts'
import { readReceipt } from '../../proof/receipt.ts'
import type { Operation } from './operation.ts'

const schema = z.strictObject({ ...chainFields, seq }).refine(namesOne, NAMES_ONE)

/** `{agentId | orgId, seq}` → `{entry, proof, checkpointSize}`, for all who may read the chain. */
export const getReceipt: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const chain = await readableChain(parts.db, by, request.value)
  return chain.ok ? readReceipt(parts, chain.value.log, request.value.seq) : chain
}
