import { base64ToBytes, bytesToBase64 } from '../bytes.ts'
import {
  parseCheckpoint,
  parseDecimal,
  parseHash,
  verifyCheckpoint,
  type LogTrust,
  type VerifiedCheckpoint,
} from './checkpoint.ts'
import { verifyInclusion } from './merkle.ts'
import { NOTE_LENGTH_MAX, tlogError, type TlogError } from './note.ts'
import type { Result } from '../result.ts'

/**
 * A proof that an entry is in a log, which can be kept and checked offline (c2sp.org/tlog-proof). Vitrine's receipts
 * are such proofs.
 */
export interface TlogProof {
  /** Data of the application, which nothing authenticates. Not empty. */
  extra?: Uint8Array
  /** The entry's index, from 0. */
  index: number
  /** Audit path of RFC 6962 section 2.1.1, starting at the leaf's sibling. */
  proof: Uint8Array[]
  /** The signed checkpoint, unchanged. */
  checkpoint: string
}

/** Longest proof in characters, checked before parsing: the note, and as much again for path and extra data. */
export const TLOG_PROOF_LENGTH_MAX = 2 * NOTE_LENGTH_MAX
/** Even a tree of 2^63 entries has no longer path. */
const PROOF_HASHES_MAX = 63
const MAGIC = 'c2sp.org/tlog-proof@v1'
const EXTRA = 'extra '
const INDEX = 'index '

/** Throws RangeError if the result would not parse. */
export function formatTlogProof({ extra, index, proof, checkpoint }: TlogProof): string {
  const head = [
    MAGIC,
    ...(extra ? [EXTRA + bytesToBase64(extra)] : []),
    `${INDEX}${index}`,
    ...proof.map(bytesToBase64),
  ]
  const text = `${head.join('\n')}\n\n${checkpoint}`
  const parsed = parseTlogProof(text)
  if (!parsed.ok) throw new RangeError(parsed.error.reason)
  return text
}

/** tlog-proof, Format, including the checkpoint's own format. Verifies nothing. Errors: malformed. */
export function parseTlogProof(text: string): Result<TlogProof, TlogError> {
  if (text.length > TLOG_PROOF_LENGTH_MAX) return tlogError('malformed', 'the proof is too long')
  const end = text.indexOf('\n\n')
  if (end === -1) return tlogError('malformed', 'no blank line separates the proof from the checkpoint')
  const [magic, ...lines] = text.slice(0, end).split('\n')
  if (magic !== MAGIC) return tlogError('malformed', `the proof does not begin with ${MAGIC}`)

  const extra = lines[0]?.startsWith(EXTRA) ? parseExtra(lines.shift()!) : undefined
  if (extra === null) return tlogError('malformed', 'the extra line of the proof is not base64')
  const indexLine = lines.shift()
  const index = indexLine?.startsWith(INDEX) ? parseDecimal(indexLine.slice(INDEX.length)) : undefined
  if (index === undefined) return tlogError('malformed', 'the proof has no index line with a plain decimal number')
  if (lines.length > PROOF_HASHES_MAX)
    return tlogError('malformed', `the proof has more than ${PROOF_HASHES_MAX} hashes`)
  const proof = lines.map(parseHash).filter((hash) => hash !== undefined)
  if (proof.length !== lines.length) return tlogError('malformed', 'a line of the proof is not a hash in base64')

  const checkpoint = text.slice(end + 2)
  const parsed = parseCheckpoint(checkpoint)
  return parsed.ok ? { ok: true, value: { ...(extra && { extra }), index, proof, checkpoint } } : parsed
}

/**
 * tlog-proof, Verifying a tlog proof: the checkpoint is the log's, and its tree holds `leafHash` at `proof.index`.
 * Errors: malformed, wrong_origin, bad_signature, no_known_signature, not_included.
 */
export async function verifyTlogProof(
  proof: TlogProof,
  leafHash: Uint8Array,
  trust: LogTrust,
): Promise<Result<VerifiedCheckpoint, TlogError>> {
  const verified = await verifyCheckpoint(proof.checkpoint, trust)
  if (!verified.ok) return verified
  const { size, root } = verified.value.checkpoint
  const included = verifyInclusion({ index: proof.index, size, leafHash, proof: proof.proof, root })
  return included
    ? verified
    : tlogError('not_included', `the entry is not number ${proof.index} of the ${size} that the checkpoint signs`)
}

/** Null if the line is not valid extra data. */
function parseExtra(line: string): Uint8Array | null {
  try {
    const extra = base64ToBytes(line.slice(EXTRA.length))
    return extra.length > 0 ? extra : null
  } catch {
    return null
  }
}
