import { readFile } from 'node:fs/promises'
import { base64ToBytes } from '@vitrine/core/bytes'
import { ED25519_KEY_BYTES } from '@vitrine/core/ed25519'
import { COSIGNATURE_V1, ED25519, parseVerifierKey, type VerifierKey } from '@vitrine/core/note'
import { badInput } from './bad-input.ts'

/** What precedes the 32 bytes of an Ed25519 key as SubjectPublicKeyInfo (RFC 8410 section 4), the form in which KMS gives it. */
const SPKI_HEAD = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]
const KEY_FILE_BYTES_MAX = 64 * 1024

/**
 * The operator's public keys, out of verifier keys, base64, or files with one of these a line or PEM. The name of a verifier
 * key is not held against a chain: the operator signs all chains with the same key, under the name of each.
 * Throws bad_input on what is none of these.
 */
export async function readPublicKeys(given: readonly string[]): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = []
  for (const text of given) {
    const direct = parsePublicKey(text)
    if (direct !== undefined) keys.push(direct)
    else keys.push(...(await fromFile('--key', text, parsePublicKey)))
  }
  return keys
}

/** Throws bad_input on what is not the verifier key of a witness (tlog-cosignature), nor a file of such. */
export async function readWitnessKeys(given: readonly string[]): Promise<VerifierKey[]> {
  const keys: VerifierKey[] = []
  for (const text of given) {
    const direct = parseWitnessKey(text)
    if (direct !== undefined) keys.push(direct)
    else keys.push(...(await fromFile('--witness', text, parseWitnessKey)))
  }
  return keys
}

async function fromFile<T>(flag: string, path: string, parse: (text: string) => T | undefined): Promise<T[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    throw badInput(`${flag} ${path}: neither a key nor a file that can be read`)
  }
  if (text.length > KEY_FILE_BYTES_MAX) throw badInput(`${flag} ${path}: too large for a file of keys`)
  const pem = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/.exec(text)?.[1]
  const lines = pem === undefined ? text.split(/\r?\n/).filter((line) => line.trim() !== '') : [pem.replaceAll(/\s/g, '')]
  const keys = lines.map((line) => parse(line.trim())).filter((key) => key !== undefined)
  if (keys.length === 0 || keys.length < lines.length) throw badInput(`${flag} ${path}: not a file of Ed25519 keys`)
  return keys
}

function parsePublicKey(text: string): Uint8Array | undefined {
  const verifier = parseVerifierKey(text)
  if (verifier.ok) return verifier.value.type === ED25519 ? verifier.value.publicKey : undefined
  let bytes: Uint8Array
  try {
    bytes = base64ToBytes(text)
  } catch {
    return undefined
  }
  const isSpki = bytes.length === SPKI_HEAD.length + ED25519_KEY_BYTES && SPKI_HEAD.every((byte, i) => bytes[i] === byte)
  const key = isSpki ? bytes.subarray(SPKI_HEAD.length) : bytes
  return key.length === ED25519_KEY_BYTES ? key : undefined
}

function parseWitnessKey(text: string): VerifierKey | undefined {
  const parsed = parseVerifierKey(text)
  return parsed.ok && parsed.value.type === COSIGNATURE_V1 ? parsed.value : undefined
}
