import { bytesToBase64, utf8 } from '../bytes.ts'
import { isSensitiveName } from './redact.ts'
import { binarySpellings, BASE64_ESCAPES } from './spellings-binary.ts'
import { escapesFor, withinJson } from './spellings-escapes.ts'
import type { AuthScheme } from '../tool.ts'

/**
 * The spellings in which upstreams echo a credential.
 *
 * - as it is, and in the other case if it is hex;
 * - escaped for a URL, for JSON or for HTML, once and twice, by encoders that escape only the necessary characters,
 *   more, or all; each of these also within JSON;
 * - as hex with the usual separators; as base64, base64url and base32 at every alignment, so that it is found inside a
 *   longer encoded text; as base64 of these, and of UTF-16.
 *
 * The secret parts of a credential are searched for too: the password of a `user:password` pair, the token after the
 * scheme in a header such as `Bearer x`, and the sensitive fields of a JSON credential such as a service account's key.
 */

/** Shorter derived spellings and parts are not searched for: they would match everywhere. */
const DERIVED_LENGTH_MIN = 4
/**
 * Longer secrets are not searched for in rare spellings, which together are two hundred times as long as the secret.
 */
const RARE_BYTES_MAX = 256
/**
 * UTF-16 units of all spellings together. The least likely spellings of a credential of many kilobytes exceed it and
 * are not searched for.
 */
const UNITS_MAX = 1_000_000
/** Hex digits, with or without separators; they mean the same in either case. */
const HEX = /^[0-9a-f]+(?:[-: ][0-9a-f]+)*$/i

/** Every text to search for, without repetitions. `credential` is not empty. */
export function spellingsOf(credential: string, auth: AuthScheme): string[] {
  const found = new Set<string>([credential])
  let units = 0
  const addAll = (texts: Iterable<string>): void => {
    for (const text of texts) {
      if (text.length < DERIVED_LENGTH_MIN || units + text.length > UNITS_MAX || found.has(text)) continue
      found.add(text)
      units += text.length
    }
  }
  for (const secret of [credential, ...partsOf(credential, auth)]) {
    const bytes = utf8(secret)
    const rare = bytes.length <= RARE_BYTES_MAX
    addAll([secret])
    if (HEX.test(secret)) addAll([secret.toLowerCase(), secret.toUpperCase()])
    addAll(binarySpellings(secret, bytes, rare))
    addAll(escapesFor(secret, rare))
  }
  if (utf8(credential).length <= RARE_BYTES_MAX) addAll(withinJson(credential, found))
  // The pair's base64 is taken of the whole, because its characters at both ends are known; those of the parts are not.
  if (auth.scheme === 'basic') addAll(pairSpellings(pairOf(credential, auth.username)))
  return [...found]
}

function pairSpellings(pair: string): string[] {
  const whole = bytesToBase64(utf8(pair))
  const bare = whole.replace(/=+$/, '')
  return [...new Set([whole, bare])].flatMap((text) => [text, ...BASE64_ESCAPES.map((escape) => escape(text))])
}

/** The secrets inside a credential that has several parts. */
function partsOf(credential: string, auth: AuthScheme): string[] {
  const parts = [...jsonSecrets(credential)]
  // `user:password`: only the password. User names are not secret.
  if (auth.scheme === 'basic' && auth.username === undefined) parts.push(credential.slice(credential.indexOf(':') + 1))
  // `Bearer x`, `token x`, `ApiKey x` in a named header: the token after the scheme.
  if (auth.scheme === 'header') parts.push(credential.slice(credential.lastIndexOf(' ') + 1))
  return parts.filter((part) => part !== credential && part.length >= DERIVED_LENGTH_MIN)
}

function jsonSecrets(credential: string): string[] {
  if (!credential.startsWith('{')) return []
  try {
    return Object.entries(JSON.parse(credential) as Record<string, unknown>)
      .filter(([name, value]) => typeof value === 'string' && isSensitiveName(name))
      .map(([, value]) => String(value))
  } catch {
    return []
  }
}

function pairOf(credential: string, username: string | undefined): string {
  return username === undefined ? credential : `${username}:${credential}`
}
