import { bytesToBase64, utf8 } from '../bytes.ts'
import { isSensitiveName } from './redact.ts'
import { binarySpellings, BASE64_ESCAPES } from './spellings-binary.ts'
import { escapesFor, withinJson } from './spellings-escapes.ts'
import type { AuthScheme } from '../tool.ts'

/**
 * The spellings in which upstreams echo a credential.
 *
 * - as it is, and with another case when it is hex;
 * - escaped for a URL, for JSON or for HTML, once and twice, as encoders do that escape what they must, more, or every character; all of that
 *   also within JSON;
 * - as hex, with the usual separators; as base64, base64url and base32 at every alignment, so that it is found within something longer that
 *   was encoded; as base64 of that, and of UTF-16.
 *
 * The secret parts of a credential are looked for by themselves too: the password of a `user:password` pair, what follows the scheme in a
 * header like `Bearer x`, and the sensitive fields of a JSON credential such as a service account's key.
 */

/** Derived spellings and parts shorter than this are not looked for: they would be found everywhere. */
const DERIVED_LENGTH_MIN = 4
/** Of longer secrets the rare spellings are left out: all of them together have two hundred times the length. */
const RARE_BYTES_MAX = 256
/** UTF-16 units of all spellings together; those beyond, the less likely ones of credentials of many kilobytes, are not looked for. */
const UNITS_MAX = 1_000_000
/** Hex digits, in groups or not: case makes no difference to who reads them. */
const HEX = /^[0-9a-f]+(?:[-: ][0-9a-f]+)*$/i

/** Every text to look for, without repetition. `credential` is not empty. */
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
  // The pair is encoded as a whole: its own base64 has no characters left over at either end, as those of the parts have.
  if (auth.scheme === 'basic') addAll(pairSpellings(pairOf(credential, auth.username)))
  return [...found]
}

function pairSpellings(pair: string): string[] {
  const whole = bytesToBase64(utf8(pair))
  const bare = whole.replace(/=+$/, '')
  return [...new Set([whole, bare])].flatMap((text) => [text, ...BASE64_ESCAPES.map((escape) => escape(text))])
}

/** The secrets within a credential that is made up of several things. */
function partsOf(credential: string, auth: AuthScheme): string[] {
  const parts = [...jsonSecrets(credential)]
  // `user:password`: the password alone. User names are no secret.
  if (auth.scheme === 'basic' && auth.username === undefined) parts.push(credential.slice(credential.indexOf(':') + 1))
  // `Bearer x`, `token x`, `ApiKey x` in a named header: what follows the scheme.
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
