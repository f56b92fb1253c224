import { parseBundleLine, type EntryLine } from '@vitrine/core/log/bundle'
import { bytesToHex, fromUtf8, hexToBytes } from '@vitrine/core/bytes'
import type { VerifiedCheckpoint } from '@vitrine/core/log/checkpoint'
import { hashLine, type Entry } from '@vitrine/core/log/entry'
import { canonicalize } from '@vitrine/core/json/jcs'
import { COSIGNATURE_V1, type TlogErrorCode } from '@vitrine/core/log/note'
import { parseTlogProof, verifyTlogProof, type TlogProof } from '@vitrine/core/log/tlog-proof'
import { VitrineError } from './error.ts'
import { readTrust, type ReceiptTrust } from './receipt-trust.ts'
import type { Receipt, ReceiptProof } from './types.ts'

export interface VerifyReceiptOptions extends ReceiptTrust {
  /** The entry that it must be of. */
  entry?: Entry
  /** The `receipt` that an invocation returned: it must be of that entry, as it was then. */
  invoked?: Receipt
}

/** What a receipt that verifies proves. */
export interface VerifiedReceipt {
  entry: Entry
  /** Of the entry, hex: the `hash` of an invocation's receipt. */
  hash: string
  /** What was signed: the chain, how many entries of it, and their Merkle root (RFC 6962), hex. */
  checkpoint: { origin: string; size: number; root: string }
  /** Those of the given witnesses who cosigned the checkpoint, and when they saw it (RFC 3339). */
  witnesses: { name: string; seenAt: string }[]
}

/**
 * What is wrong with a receipt: `details.reason` of a `receipt_invalid`.
 * - malformed: not a tlog-proof with an entry in it
 * - wrong_origin: of another chain than the one expected
 * - no_known_signature: not signed with a pinned key
 * - bad_signature: the signature is not of this checkpoint
 * - not_included: the entry is not in the signed tree at its place
 * - misplaced: the entry names another place in another chain than the one where it stands
 * - other_entry: a good receipt, of another entry than the one asked for
 * - hash_mismatch: of the right place, where something else stands than was said before
 */
export type ReceiptProblem = TlogErrorCode | 'misplaced' | 'other_entry' | 'hash_mismatch'

/**
 * Verifies a receipt, offline: with nothing but the key that was pinned. Needs WebCrypto with Ed25519: Node >= 20, Chrome
 * >= 137, Firefox >= 129, Safari >= 17, and in browsers a secure context.
 * Rejects with VitrineError: receipt_invalid with `details.reason`, invalid_argument for options that cannot be used,
 * unsupported where the platform cannot verify Ed25519.
 */
export async function verifyReceipt(
  receipt: ReceiptProof | string,
  options: VerifyReceiptOptions,
): Promise<VerifiedReceipt> {
  const trust = readTrust(options)
  const proof = parseProof(typeof receipt === 'string' ? receipt : receipt?.proof)
  const { entry, text } = readEntry(proof)
  const hash = hashLine(text)
  const verified = await verifyTlogProof(proof, hexToBytes(hash), trust).catch((cause: unknown) => {
    throw new VitrineError('unsupported', { message: 'Ed25519 signatures cannot be verified here.', cause })
  })
  if (!verified.ok) throw invalid(verified.error.code, verified.error.reason)
  const { checkpoint, signatures } = verified.value

  if (entry.seq !== proof.index || !checkpoint.origin.endsWith(`/${entry.log}`)) {
    throw invalid(
      'misplaced',
      `entry ${proof.index} of ${checkpoint.origin} says that it is entry ${entry.seq} of ${entry.log}`,
    )
  }
  const expected = [typeof receipt === 'string' ? undefined : receipt.entry, options.entry]
  if (expected.some((other) => other !== undefined && canonicalText(other) !== text))
    throw invalid('other_entry', 'it is of another entry than the one given')
  if (options.invoked) compareInvoked(options.invoked, entry, hash)
  const { origin, size, root } = checkpoint
  return { entry, hash, checkpoint: { origin, size, root: bytesToHex(root) }, witnesses: witnessesOf(signatures) }
}

function parseProof(text: unknown): TlogProof {
  if (typeof text !== 'string')
    throw invalid('malformed', 'a receipt is what getReceipt answers, or the text of its proof')
  const parsed = parseTlogProof(text)
  if (!parsed.ok) throw invalid('malformed', parsed.error.reason)
  return parsed.value
}

/** The entry that a proof carries, and its canonical form. */
function readEntry({ extra }: TlogProof): { entry: Entry; text: string } {
  if (!extra) throw invalid('malformed', 'the proof carries no entry')
  let text: string
  try {
    text = fromUtf8(extra)
  } catch {
    throw invalid('malformed', 'the entry in the proof is not UTF-8')
  }
  // As a line of a bundle: one parser says what an entry is.
  const line = parseBundleLine(`{"entry":${text},"type":"entry"}`)
  if (line.ok && line.value.type === 'entry') return { entry: line.value.entry, text }
  // A later version of Vitrine may know more actions; the proof holds all the same.
  if (!line.ok && line.error.code === 'unknown_action')
    return { entry: (line.error.value as unknown as EntryLine).entry, text }
  throw invalid('malformed', line.ok ? 'the proof carries no entry' : `the entry in the proof: ${line.error.reason}`)
}

/** Undefined for what cannot be an entry. */
function canonicalText(entry: unknown): string | undefined {
  try {
    return canonicalize(entry)
  } catch {
    return undefined
  }
}

function compareInvoked(invoked: Receipt, entry: Entry, hash: string): void {
  if (invoked.log !== entry.log || invoked.seq !== entry.seq) {
    throw invalid(
      'other_entry',
      `it is of entry ${entry.seq} of ${entry.log}, the invocation was entry ${invoked.seq} of ${invoked.log}`,
    )
  }
  if (invoked.hash !== hash)
    throw invalid('hash_mismatch', `entry ${entry.seq} of ${entry.log} is not the one that the invocation was told of`)
}

function witnessesOf(signatures: VerifiedCheckpoint['signatures']): VerifiedReceipt['witnesses'] {
  const cosigned = signatures.filter(({ key }) => key.type === COSIGNATURE_V1)
  return cosigned.map(({ key, timestampS = 0 }) => ({ name: key.name, seenAt: timeOf(timestampS) }))
}

/** A time that Date cannot hold is a witness's mistake, and no reason to fail. */
function timeOf(timestampS: number): string {
  const date = new Date(timestampS * 1000)
  return Number.isNaN(date.getTime()) ? String(timestampS) : date.toISOString()
}

function invalid(reason: ReceiptProblem, text: string): VitrineError {
  return new VitrineError('receipt_invalid', { message: `The receipt is not valid: ${text}.`, details: { reason } })
}
