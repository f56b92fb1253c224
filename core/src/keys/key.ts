import { utf8, bytesToHex } from '../bytes.ts'
import { crc32 } from './crc.ts'
import { isId } from '../names.ts'
import { fail, ok, type Result } from '../result.ts'
import { sha256Hex } from '#sha256'

/**
 * Keys: `{kind}.{id}.{secret}`. The secret is 32 random bytes in base62 (43 characters) and their CRC-32 in base62
 * (6 characters), so that secret scanners recognize one and a typo is caught without a look-up.
 */
export const KEY_KINDS = ['agent', 'tools', 'owner'] as const
export type KeyKind = (typeof KEY_KINDS)[number]

export interface ParsedKey {
  kind: KeyKind
  id: string
  secret: string
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_LENGTH = 43
const CHECK_LENGTH = 6

/** Makes a key; `random` is 32 bytes from a cryptographic source. Throws RangeError for any other number of them. */
export function formatKey(kind: KeyKind, id: string, random: Uint8Array): string {
  if (random.length !== 32) throw new RangeError('a key needs 32 random bytes')
  const body = toBase62(BigInt(`0x${bytesToHex(random)}`)).padStart(SECRET_LENGTH, '0')
  return `${kind}.${id}.${body}${checksum(body)}`
}

/** Errors: malformed_key. */
export function parseKey(text: string): Result<ParsedKey> {
  const parts = text.split('.')
  const [kind, id, secret] = parts
  if (parts.length !== 3 || kind === undefined || id === undefined || secret === undefined) return fail('malformed_key')
  if (!isKind(kind) || !isId(id) || !isSecret(secret)) return fail('malformed_key')
  return ok({ kind, id, secret })
}

/**
 * What the server stores of a key: the SHA-256 of its secret, in hex. The secret has 256 bits, so it needs no salt and
 * no stretching.
 */
export function hashSecret(secret: string): string {
  return sha256Hex(utf8(secret))
}

function isKind(text: string): text is KeyKind {
  return (KEY_KINDS as readonly string[]).includes(text)
}

function isSecret(text: string): boolean {
  if (text.length < SECRET_LENGTH + CHECK_LENGTH || text.length > 2 * SECRET_LENGTH || !/^[0-9A-Za-z]+$/.test(text))
    return false
  return checksum(text.slice(0, -CHECK_LENGTH)) === text.slice(-CHECK_LENGTH)
}

function checksum(body: string): string {
  return toBase62(BigInt(crc32(utf8(body)))).padStart(CHECK_LENGTH, '0')
}

function toBase62(value: bigint): string {
  let text = ''
  for (let rest = value; rest > 0n; rest /= 62n) text = ALPHABET.charAt(Number(rest % 62n)) + text
  return text
}
