import { isSensitiveName } from '@vitrine/core/scrub/redact'
import { replaceSecrets } from '@vitrine/core/scrub/secret-formats'
import { PLACEHOLDER } from './url-template.ts'

/**
 * Whether a URL looks as if it held a secret. Agents and auditors see URLs, so this errs towards refusing; an owner can say that it is
 * public. Not taken for secrets: UUIDs, numbers, dates, versions, words, ids of up to 19 characters, and long ids where REST APIs have
 * them: behind the plural of a thing (`/databases/{32 hex digits}`, `/spreadsheets/…`) and in parameters called `…id` or `q`.
 */

/** Names, without case and separators, whose value is a secret. */
const SECRET_NAME =
  /(?:token|secret|password|passwd|passphrase|apikey|signature|credentials?|authorization|securitytoken|accesskeyid|jwt|hmac)$|(?:access|account|admin|app|application|auth|client|consumer|dev|developer|functions?|license|master|private|secret|server|service|shared|signing|subscription|user|write|read)key$|^(?:sig|pwd)$/
/** Names that also have harmless values. */
const DOUBTFUL_NAME = /^(?:key|code|auth|pass|session|j?sessionid|phpsessid|sid|bearer|appid|accesscode|authcode|otp)$/
/** Names whose values are long and random without being secret, or anybody's text. */
const OPEN_NAME = /(?:id|ids|uuid|guid|sha|ref|hash|etag|cursor)$|^(?:q|query|search|text|filter)$/
/** The value of a switch, a number or a short word. */
const HARMLESS = /^(?:true|false|[0-9]{1,6})?$/i
const SHORT_WORD = /^[a-z_-]{1,5}$/i

const HOOK = /^(?:web)?hooks?(?:$|[-_b])|^incoming/i
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const VERSION = /^v?[0-9]+(?:(?:alpha|beta|rc|preview)[0-9]*)?(?:\.[0-9]+)*$/i
/** A thing of which the next segment names one. */
const COLLECTION = /^(?:[a-z][a-z_-]+s|d|blob|commit|database|document|file|raw|sheet|tree)$/i
const RANDOM_PART_LENGTH_MIN = 20
const HEX_LENGTH_MIN = 32

/** What looks like a secret, to be named in a hint that does not repeat it; null if nothing does. */
export function secretIn(url: string): string | null {
  const held = url.replaceAll(PLACEHOLDER, '')
  const { hostname, pathname, searchParams } = new URL(held)
  const segments = pathname
    .split('/')
    .filter((text) => text !== '')
    .map(decoded)
  for (const [i, segment] of segments.entries()) {
    if (isSecretSegment(segment, segments.slice(0, i), hostname)) return `segment ${i + 1} of the path`
  }
  for (const [name, value] of searchParams) {
    if (isSecretPair(name, value)) return `the query parameter ${JSON.stringify(name.slice(0, 40))}`
    if (isSecretText(name)) return 'the name of a query parameter'
  }
  // Formats that go over several segments, such as a Slack webhook.
  return isSecretText(held) ? 'the URL' : null
}

function isSecretSegment(segment: string, before: readonly string[], hostname: string): boolean {
  const previous = before.at(-1) ?? ''
  // Telegram's, whatever its length.
  if (/^bot[0-9]+:./i.test(segment) || isSecretText(segment)) return true
  // `;jsessionid=…` and `key=…`
  if (segment.split(';').some((part) => part.includes('=') && isSecretPair(...pairOf(part)))) return true
  const isNamed =
    isSecretName(previous) || DOUBTFUL_NAME.test(plain(previous)) || isSecretName(previous.replace(/s$/i, ''))
  if (isNamed) return isOpaque(segment)
  if (before.some((text) => HOOK.test(text)) || hostname.split(/[.-]/).some((label) => HOOK.test(label)))
    return isOpaque(segment) || UUID.test(segment)
  return isRandom(segment) && !COLLECTION.test(previous)
}

function isSecretPair(name: string, value: string): boolean {
  if (HARMLESS.test(value)) return false
  if (isSecretName(name) || isSecretText(value)) return true
  if (DOUBTFUL_NAME.test(plain(name))) return !SHORT_WORD.test(value)
  return isRandom(value) && !OPEN_NAME.test(plain(name))
}

/** Of a header: its value is compared with known formats, or its name says it. */
export function isSecretHeader(name: string, value: string): boolean {
  return isSecretText(value) || (value !== '' && (isSensitiveName(name) || isSecretName(name) || /-key$/i.test(name)))
}

function isSecretName(name: string): boolean {
  return SECRET_NAME.test(plain(name))
}

/** A secret of a known format (core's secret-formats.ts). */
function isSecretText(text: string): boolean {
  return replaceSecrets(text, '') !== text
}

/** No word, number or version, and not short. */
function isOpaque(text: string): boolean {
  return text.length >= 6 && /[0-9]/.test(text) && /[a-z]/i.test(text) && !VERSION.test(text) && !UUID.test(text)
}

/** Long hex, or a long part in which letters and digits, or the cases of letters, change as they do in no word or name. */
function isRandom(text: string): boolean {
  if (UUID.test(text)) return false
  return text.split(/[^A-Za-z0-9]+/).some((part) => {
    if (/^(?:0x)?[0-9a-f]+$/i.test(part))
      return part.length >= HEX_LENGTH_MIN && /[0-9]/.test(part) && /[a-f]/i.test(part)
    if (part.length < RANDOM_PART_LENGTH_MIN) return false
    const changes = part.match(/(?<=[0-9])(?=[A-Za-z])|(?<=[A-Za-z])(?=[0-9])/g)?.length ?? 0
    const lone = part.match(/(?<=[A-Z])[a-z](?=[A-Z])/g)?.length ?? 0
    return changes >= 3 || lone >= 3
  })
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}

function pairOf(text: string): [name: string, value: string] {
  const at = text.indexOf('=')
  return [text.slice(0, at), text.slice(at + 1)]
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
