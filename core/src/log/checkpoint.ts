import { base64ToBytes, bytesEqual, bytesToBase64 } from '../bytes.ts'
import { EMPTY_ROOT, HASH_BYTES } from './merkle.ts'
import { isNoteText, parseNote, tlogError, verifyNote } from './note.ts'
import type { Note, TlogError, VerifiedSignature, VerifierKey } from './note.ts'
import type { Result } from '../result.ts'

/** Checkpoints, the signed tree heads of a log: writing, parsing and verifying them. */

/** A log's tree head as c2sp.org/tlog-checkpoint writes it (Note text). */
export interface Checkpoint {
  /** Names the log. One line. */
  origin: string
  size: number
  /** 32 bytes. */
  root: Uint8Array
  /** Further lines, none empty. Witnesses don't vouch for them, and Vitrine writes none. */
  extensions: string[]
}

/** The keys that a verifier trusts for one log. */
export interface LogTrust {
  origin: string
  /** One of these must have signed. */
  logKeys: readonly VerifierKey[]
  /** Their cosignatures are verified if present; the caller decides how many it requires. */
  witnesses?: readonly VerifierKey[]
}

export interface VerifiedCheckpoint {
  checkpoint: Checkpoint
  /** The verified signatures of log keys and witnesses, in the note's order. */
  signatures: VerifiedSignature[]
}

/**
 * The text to sign and to put into a note; signers sign `utf8(…)` of it. Throws RangeError for values that would not
 * parse.
 */
export function checkpointText({ origin, size, root, extensions }: Checkpoint): string {
  const text = [origin, String(size), bytesToBase64(root), ...extensions].map((line) => `${line}\n`).join('')
  const parsed = parseCheckpointText(text)
  if (!parsed.ok) throw new RangeError(parsed.error.reason)
  if (parsed.value.origin !== origin || parsed.value.extensions.length !== extensions.length)
    throw new RangeError('a line has a newline')
  return text
}

/** tlog-checkpoint, Note text. Errors: malformed. */
export function parseCheckpointText(text: string): Result<Checkpoint, TlogError> {
  if (!isNoteText(text))
    return tlogError('malformed', 'the checkpoint does not end in a newline, or has control characters')
  const lines = text.slice(0, -1).split('\n')
  const [origin, sizeLine = '', rootLine = '', ...extensions] = lines
  if (!origin || lines.length < 3 || lines.includes(''))
    return tlogError('malformed', 'a checkpoint is three lines at least, none empty')
  const size = parseDecimal(sizeLine)
  if (size === undefined) return tlogError('malformed', 'the size of the checkpoint is not a plain decimal number')
  const root = parseHash(rootLine)
  if (root === undefined) return tlogError('malformed', 'the root of the checkpoint is not a hash in base64')
  if (size === 0 && !bytesEqual(root, EMPTY_ROOT))
    return tlogError('malformed', 'the root of the checkpoint is not that of an empty tree')
  return { ok: true, value: { origin, size, root, extensions } }
}

/** Parses a signed checkpoint without verifying anything. Errors: malformed. */
export function parseCheckpoint(signed: string): Result<{ checkpoint: Checkpoint; note: Note }, TlogError> {
  const note = parseNote(signed)
  if (!note.ok) return note
  const checkpoint = parseCheckpointText(note.value.text)
  return checkpoint.ok ? { ok: true, value: { checkpoint: checkpoint.value, note: note.value } } : checkpoint
}

/**
 * Verifies a signed checkpoint: it has the expected origin, a log key signed it, and no signature of a known key,
 * witnesses included, is wrong. Errors: malformed, wrong_origin, bad_signature, no_known_signature.
 */
export async function verifyCheckpoint(
  signed: string,
  trust: LogTrust,
): Promise<Result<VerifiedCheckpoint, TlogError>> {
  const parsed = parseCheckpoint(signed)
  if (!parsed.ok) return parsed
  const { checkpoint, note } = parsed.value
  if (checkpoint.origin !== trust.origin)
    return tlogError('wrong_origin', `the checkpoint is of ${checkpoint.origin}, not ${trust.origin}`)
  const verified = await verifyNote(note, [...trust.logKeys, ...(trust.witnesses ?? [])])
  if (!verified.ok) return verified
  const signatures = verified.value
  const byLog = signatures.some(({ key }) => trust.logKeys.includes(key))
  return byLog
    ? { ok: true, value: { checkpoint, signatures } }
    : tlogError('no_known_signature', 'the log itself did not sign')
}

/** Decimal without leading zeros, up to 2^53 - 1. */
export function parseDecimal(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) return undefined
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : undefined
}

/** 32 bytes in base64. */
export function parseHash(text: string): Uint8Array | undefined {
  try {
    const hash = base64ToBytes(text)
    return hash.length === HASH_BYTES ? hash : undefined
  } catch {
    return undefined
  }
}
