import type { Answer } from '@vitrine/core/api/contract'
import { hexToBytes, utf8 } from '@vitrine/core/bytes'
import { hashLine, readEntry } from '@vitrine/core/log/entry'
import { inclusionNodes, verifyInclusion } from '@vitrine/core/log/merkle'
import { fail, ok, type Result } from '@vitrine/core/result'
import { lineAt } from '@vitrine/core/log/segment'
import { formatTlogProof } from '@vitrine/core/log/tlog-proof'
import { segmentWith } from './chain.ts'
import { newestSigned } from './checkpoint-store.ts'
import { readProof } from './tile-store.ts'
import { logError } from '../lib/log.ts'
import type { ProofParts } from './parts.ts'

export type ProvenEntry = Answer<'getReceipt'>

/**
 * The receipt of an entry, made from its segment, the newest signed checkpoint and at most two tiles per level. Errors:
 * receipt_not_found, receipt_pending with `details.size` (the number of covered entries), chain_broken.
 */
export async function readReceipt({ db }: ProofParts, log: string, seq: number): Promise<Result<ProvenEntry>> {
  const [segment, checkpoint] = await Promise.all([segmentWith(db, log, seq), newestSigned(db, log)])
  const line = segment && lineAt(segment, seq)
  if (line === undefined) return fail('receipt_not_found')
  const size = checkpoint?.size ?? 0
  if (!checkpoint || seq >= size) return fail('receipt_pending', undefined, { size })

  const proof = await readProof(db, log, checkpoint, inclusionNodes(seq, size))
  if (
    !verifyInclusion({
      index: seq,
      size,
      leafHash: hexToBytes(hashLine(line)),
      proof,
      root: hexToBytes(checkpoint.root),
    })
  ) {
    logError(`Entry ${seq} of ${log} is not the one that checkpoint ${size} covers.`)
    return fail('chain_broken', 'The entry is not the one that was signed.')
  }
  return ok({
    entry: readEntry(line),
    proof: formatTlogProof({ extra: utf8(line), index: seq, proof, checkpoint: checkpoint.note }),
    checkpointSize: size,
  })
}
