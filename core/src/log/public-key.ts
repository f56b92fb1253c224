import { base64ToBytes } from '../bytes.ts'
import { ED25519_KEY_BYTES } from '../keys/ed25519.ts'
import { ED25519, parseVerifierKey, tlogError, type TlogError } from './note.ts'
import type { Result } from '../result.ts'

/** Reads the public keys that auditors pin. */

/** An operator's public key as a person wrote it down. */
export interface PublicKey {
  /** 32 bytes, Ed25519. */
  publicKey: Uint8Array
  /** The log's name, if the key is written as a verifier key. */
  name?: string
}

/** The bytes that precede the key in a SubjectPublicKeyInfo (RFC 8410 section 4), the form that KMS returns. */
const SPKI_HEAD = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00)
const PEM = /^-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----$/

/**
 * Parses a public key: a verifier key (c2sp.org/signed-note), PEM, or base64 of the key or of its SubjectPublicKeyInfo.
 * White space around it is ignored. Errors: malformed.
 */
export function parsePublicKey(spelling: string): Result<PublicKey, TlogError> {
  const text = spelling.trim()
  const verifier = parseVerifierKey(text)
  if (verifier.ok) {
    const { name, type, publicKey } = verifier.value
    return type === ED25519
      ? { ok: true, value: { publicKey, name } }
      : tlogError('malformed', 'this is the key of a witness, not of a log')
  }
  const bytes = decode(PEM.exec(text)?.[1]?.replaceAll(/\s/g, '') ?? text)
  const isSpki =
    bytes?.length === SPKI_HEAD.length + ED25519_KEY_BYTES && SPKI_HEAD.every((byte, i) => bytes[i] === byte)
  const publicKey = isSpki ? bytes.subarray(SPKI_HEAD.length) : bytes
  if (publicKey?.length !== ED25519_KEY_BYTES)
    return tlogError('malformed', 'this is no Ed25519 public key: not a verifier key, PEM or base64')
  return { ok: true, value: { publicKey } }
}

function decode(text: string): Uint8Array | undefined {
  try {
    return base64ToBytes(text)
  } catch {
    return undefined
  }
}
