import { base64ToBytes, bytesToBase64, bytesToHex, concatBytes, hexToBytes, utf8 } from '../bytes.ts'
import { ED25519_KEY_BYTES, ED25519_SIGNATURE_BYTES, verifyEd25519 } from '../keys/ed25519.ts'
import type { Result } from '../result.ts'
import { sha256 } from '#sha256'

/**
 * Signed notes (c2sp.org/signed-note) with Ed25519 signatures and timestamped Ed25519 cosignatures
 * (c2sp.org/tlog-cosignature).
 */

/** Longest note in characters, checked before parsing: more than 16 signatures of 5 kB need (signed-note, Format). */
export const NOTE_LENGTH_MAX = 256 * 1024
/** Most signatures of one note, because each known one costs a verification. The specification asks for at least 16. */
export const NOTE_SIGNATURES_MAX = 64

/** Signature type bytes (signed-note, Signature types). */
export const ED25519 = 0x01
export const COSIGNATURE_V1 = 0x04
export type SignatureType = typeof ED25519 | typeof COSIGNATURE_V1

/**
 * What can be wrong with a note, checkpoint or proof.
 * `malformed`: not in the format. `bad_signature`: a known key's signature does not verify. `no_known_signature`: none
 * of the expected keys signed. `wrong_origin`: it belongs to another log. `not_included`: the proof does not lead to
 * the signed root.
 */
export type TlogErrorCode = 'malformed' | 'bad_signature' | 'no_known_signature' | 'wrong_origin' | 'not_included'

export interface TlogError {
  code: TlogErrorCode
  /** For a person, without a full stop. */
  reason: string
}

export function tlogError(code: TlogErrorCode, reason: string): { ok: false; error: TlogError } {
  return { ok: false, error: { code, reason } }
}

export interface SignatureLine {
  name: string
  /** 8 hex digits. Name and key id together identify a key. */
  keyId: string
  /** The signature without the key id: 64 bytes for Ed25519, 72 for a cosignature. */
  signature: Uint8Array
}

export interface Note {
  /** The signed text, including its final newline. */
  text: string
  signatures: SignatureLine[]
}

export interface VerifierKey {
  name: string
  keyId: string
  type: SignatureType
  publicKey: Uint8Array
}

/** A signature that was verified. */
export interface VerifiedSignature {
  key: VerifierKey
  /** POSIX seconds; only cosignatures have it. */
  timestampS?: number
}

const SEPARATOR = '\n\n'
const KEY_ID_BYTES = 4
const TIMESTAMP_BYTES = 8

/**
 * Text that may be signed: ends in a newline, has no other control character (U+0000 to U+001F), and is valid Unicode.
 */
export function isNoteText(text: string): boolean {
  return text.endsWith('\n') && text.isWellFormed() && hasNoControls(text)
}

/** signed-note, Format. Verifies nothing, so don't use the text yet. Errors: malformed. */
export function parseNote(note: string): Result<Note, TlogError> {
  if (note.length > NOTE_LENGTH_MAX) return tlogError('malformed', 'the note is too long')
  if (!isNoteText(note)) return tlogError('malformed', 'the note does not end in a newline, or has control characters')
  const end = note.lastIndexOf(SEPARATOR)
  if (end === -1) return tlogError('malformed', 'no blank line separates the text from the signatures')
  const signatures = parseSignatureLines(note.slice(end + SEPARATOR.length))
  return signatures.ok
    ? { ok: true, value: { text: note.slice(0, end + 1), signatures: signatures.value } }
    : signatures
}

/**
 * One or more signature lines, of a note or of a witness's answer (tlog-witness, add-checkpoint). Errors: malformed.
 */
export function parseSignatureLines(text: string): Result<SignatureLine[], TlogError> {
  if (text.length > NOTE_LENGTH_MAX) return tlogError('malformed', 'the signatures are too long')
  if (!isNoteText(text)) return tlogError('malformed', 'no signature line, or one that does not end in a newline')
  const lines = text.slice(0, -1).split('\n')
  if (lines.length > NOTE_SIGNATURES_MAX) return tlogError('malformed', `more than ${NOTE_SIGNATURES_MAX} signatures`)
  const signatures: SignatureLine[] = []
  for (const line of lines) {
    const signature = parseSignatureLine(line)
    if (signature === undefined) return tlogError('malformed', `signature line ${signatures.length + 1} is malformed`)
    signatures.push(signature)
  }
  return { ok: true, value: signatures }
}

function parseSignatureLine(line: string): SignatureLine | undefined {
  const [dash, name, encoded, ...rest] = line.split(' ')
  if (dash !== '—' || name === undefined || encoded === undefined || rest.length > 0 || !isKeyName(name))
    return undefined
  const bytes = decodeBase64(encoded)
  if (bytes === undefined || bytes.length <= KEY_ID_BYTES) return undefined
  return { name, keyId: bytesToHex(bytes.subarray(0, KEY_ID_BYTES)), signature: bytes.subarray(KEY_ID_BYTES) }
}

/** A note made from parts of this program. Throws RangeError if it would not parse. */
export function formatNote({ text, signatures }: Note): string {
  if (!isNoteText(text)) throw new RangeError('not a text that a note may have')
  if (signatures.length === 0) throw new RangeError('a note has one signature at least')
  return `${text}\n${signatures.map(formatSignatureLine).join('')}`
}

/** With its newline. */
export function formatSignatureLine({ name, keyId, signature }: SignatureLine): string {
  if (!isKeyName(name)) throw new RangeError('not a key name')
  return `— ${name} ${bytesToBase64(concatBytes(hexToBytes(keyId), signature))}\n`
}

/**
 * A key with the id that signed-note (Signatures) and tlog-cosignature (Format) give it. Throws RangeError on a bad
 * name or length.
 */
export function verifierKey(name: string, type: SignatureType, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name)) throw new RangeError('not a key name')
  if (publicKey.length !== ED25519_KEY_BYTES) throw new RangeError('an Ed25519 key has 32 bytes')
  const id = sha256(concatBytes(utf8(`${name}\n`), Uint8Array.of(type), publicKey)).subarray(0, KEY_ID_BYTES)
  return { name, keyId: bytesToHex(id), type, publicKey }
}

/**
 * `name+id+base64(type || key)` (signed-note, Verifier keys). Splits at the first two `+`: base64 may contain more.
 * Errors: malformed.
 */
export function parseVerifierKey(text: string): Result<VerifierKey, TlogError> {
  const first = text.indexOf('+')
  const second = text.indexOf('+', first + 1)
  if (first === -1 || second === -1) return tlogError('malformed', 'a verifier key has the form name+id+key')
  const name = text.slice(0, first)
  const material = decodeBase64(text.slice(second + 1))
  const type = material?.[0]
  if (!isKeyName(name) || material?.length !== 1 + ED25519_KEY_BYTES)
    return tlogError('malformed', 'the verifier key is malformed')
  if (type !== ED25519 && type !== COSIGNATURE_V1)
    return tlogError('malformed', 'the verifier key is of a type that is not supported')
  const key = verifierKey(name, type, material.subarray(1))
  if (key.keyId !== text.slice(first + 1, second))
    return tlogError('malformed', 'the id of the verifier key does not fit it')
  return { ok: true, value: key }
}

export function formatVerifierKey({ name, keyId, type, publicKey }: VerifierKey): string {
  return `${name}+${keyId}+${bytesToBase64(concatBytes(Uint8Array.of(type), publicKey))}`
}

/**
 * Verifies a note (signed-note, Signatures). Signatures of unknown keys are ignored, a failing signature of a known key
 * rejects the note, and at least one known key must have signed. A name and key id together identify a key, which
 * counts once however often it signed.
 * Errors: bad_signature, no_known_signature.
 */
export async function verifyNote(
  note: Note,
  keys: readonly VerifierKey[],
): Promise<Result<VerifiedSignature[], TlogError>> {
  const verified: VerifiedSignature[] = []
  for (const line of note.signatures) {
    const key = keys.find(({ name, keyId }) => name === line.name && keyId === line.keyId)
    if (key === undefined) continue
    const signature = await verifyLine[key.type](note.text, line.signature, key)
    if (signature === undefined)
      return tlogError('bad_signature', `the signature of ${key.name} (${key.keyId}) does not verify`)
    if (!verified.some((other) => other.key === key)) verified.push(signature)
  }
  return verified.length > 0
    ? { ok: true, value: verified }
    : tlogError('no_known_signature', 'no signature of a known key')
}

type VerifyLine = (text: string, signature: Uint8Array, key: VerifierKey) => Promise<VerifiedSignature | undefined>

const verifyLine: Record<SignatureType, VerifyLine> = {
  [ED25519]: async (text, signature, key) =>
    (await verifyEd25519(key.publicKey, utf8(text), signature)) ? { key } : undefined,
  [COSIGNATURE_V1]: async (text, signature, key) => {
    if (signature.length !== TIMESTAMP_BYTES + ED25519_SIGNATURE_BYTES) return undefined
    const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
    // The format allows up to 2^63 - 1. A time above 2^53 is in the far future, so refusing it is safe.
    if (seconds > BigInt(Number.MAX_SAFE_INTEGER)) return undefined
    const timestampS = Number(seconds)
    const genuine = await verifyEd25519(
      key.publicKey,
      cosignedBytes(text, timestampS),
      signature.subarray(TIMESTAMP_BYTES),
    )
    return genuine ? { key, timestampS } : undefined
  },
}

/**
 * The bytes that a witness signs at `timestampS` (tlog-cosignature, Ed25519 signed message); `text` is the checkpoint
 * without signatures.
 */
export function cosignedBytes(text: string, timestampS: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${timestampS}\n${text}`)
}

/** The signature of a cosignature line: `timestamp || Ed25519 signature` (tlog-cosignature, Format). */
export function cosignature(timestampS: number, signature: Uint8Array): Uint8Array {
  const timestamp = new Uint8Array(TIMESTAMP_BYTES)
  new DataView(timestamp.buffer).setBigUint64(0, BigInt(timestampS))
  return concatBytes(timestamp, signature)
}

function hasNoControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 && code !== 0x0a) return false
  }
  return true
}

/** Whether it is not empty and holds no `+`, no Unicode space and no character that notes forbid. */
function isKeyName(name: string): boolean {
  return name !== '' && !/[+\p{White_Space}]/u.test(name) && name.isWellFormed() && hasNoControls(name)
}

function decodeBase64(text: string): Uint8Array | undefined {
  try {
    return base64ToBytes(text)
  } catch {
    return undefined
  }
}
