import { bytesToBase64, bytesToHex, utf8 } from './bytes.ts'
import { isSensitiveName } from './redact.ts'
import type { AuthScheme } from './tool.ts'

/**
 * The spellings in which upstreams echo a credential: escaped for a URL, JSON or HTML, in hex and in base64.
 *
 * Encoders differ in what they escape beyond what they must, so there are several of each kind.
 */

type Encode = (text: string) => string

/** Spellings and parts shorter than this are not looked for: they would be found everywhere. */
const DERIVED_LENGTH_MIN = 4

/** What no encoder escapes, and what only those do that escape all but letters and digits: most credentials need few encoders. */
const NEVER_ESCAPED = /^[A-Za-z0-9]*$/
const SELDOM_ESCAPED = /^[A-Za-z0-9._-]*$/

const URL_STYLES: Encode[] = [
  encodeURIComponent,
  // what encodeURIComponent leaves out of RFC 3986's reserved characters; Python, PHP and Go escape them
  (text) => encodeURIComponent(text).replaceAll(/[!'()*]/g, hexEscape('%', 2)),
  // application/x-www-form-urlencoded: of the above with space as "+"
  (text) => new URLSearchParams([['', text]]).toString().slice(1),
  (text) => encodeURIComponent(text).replaceAll('%20', '+'),
  (text) => encodeURI(text),
]
const URL_ENCODERS = [...URL_STYLES, ...URL_STYLES.map(lowerCased)]

const JSON_ENCODERS: Encode[] = [
  jsonEscape,
  // PHP: "/" too, and all but ASCII
  (text) => jsonEscape(text).replaceAll('/', '\\/'),
  (text) => jsonEscape(text).replaceAll('/', '\\/').replaceAll(/[^\0-\x7f]/g, hexEscape('\\u', 4, 'lower')),
  // Python, Ruby: all but ASCII
  (text) => jsonEscape(text).replaceAll(/[^\0-\x7f]/g, hexEscape('\\u', 4, 'lower')),
  // Go: what HTML would read
  (text) => jsonEscape(text).replaceAll(/[<>&\u2028\u2029]/g, hexEscape('\\u', 4, 'lower')),
  // .NET: these, quotes, "+" and all but ASCII
  (text) => jsonEscape(text).replaceAll('\\"', '\\u0022').replaceAll(/[<>&'+`]|[^\0-\x7f]/g, hexEscape('\\u', 4)),
]

const HTML_NAMES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const HTML_ENCODERS: Encode[] = [
  // text content
  (text) => text.replaceAll(/[&<>]/g, (char) => HTML_NAMES[char]!),
  // attributes, and the ways to write an apostrophe: none, Go and Python, PHP, XML
  ...["'", '&#39;', '&#x27;', '&#039;', '&apos;'].flatMap((apostrophe) => [
    (text: string) => htmlEscape(text, apostrophe),
    (text: string) => htmlEscape(text, apostrophe).replaceAll('&quot;', '&#34;'),
  ]),
  // OWASP: "/" too; Mustache and its like: "`" and "=" besides
  (text) => htmlEscape(text, '&#x27;').replaceAll('/', '&#x2F;'),
  (text) => text.replaceAll(/[&<>"'`=/]/g, (char) => HTML_NAMES[char] ?? (char === "'" ? '&#39;' : hexEntity(char))),
]

/** Encoders that escape everything but letters and digits. */
const ZEALOUS_URL_ENCODERS = [percentAll, lowerCased(percentAll)]
const ZEALOUS_HTML_ENCODERS: Encode[] = [
  (text) => text.replaceAll(/[^A-Za-z0-9]/gu, (char) => `&#${char.codePointAt(0)};`),
  (text) => text.replaceAll(/[^A-Za-z0-9]/gu, hexEntity),
]

const ZEALOUS_ENCODERS: Encode[] = [...twice(ZEALOUS_URL_ENCODERS, encodeURIComponent), ...twice(ZEALOUS_HTML_ENCODERS, (text) => htmlEscape(text, '&#39;'))]

const ENCODERS: Encode[] = [
  ...twice(URL_ENCODERS, encodeURIComponent), ...twice(JSON_ENCODERS, jsonEscape), ...twice(HTML_ENCODERS, (text) => htmlEscape(text, '&#39;')),
  ...ZEALOUS_ENCODERS,
]

/** Of the characters that get escaped, base64 has but "+", "/" and "=". */
const BASE64_ENCODERS: Encode[] = [
  encodeURIComponent,
  lowerCased(encodeURIComponent),
  (text) => encodeURIComponent(encodeURIComponent(text)),
  (text) => text.replaceAll('/', '\\/'),
]

/** Every text to look for, without repetition. `credential` is not empty. */
export function spellingsOf(credential: string, auth: AuthScheme): string[] {
  const found = new Set<string>([credential])
  const add = (text: string): void => {
    if (text.length >= DERIVED_LENGTH_MIN) found.add(text)
  }
  for (const secret of [credential, ...partsOf(credential, auth)]) {
    const bytes = utf8(secret)
    const hex = bytesToHex(bytes)
    for (const text of [hex, hex.toUpperCase()]) add(text)
    addEscaped(secret, SELDOM_ESCAPED.test(secret) ? ZEALOUS_ENCODERS : ENCODERS, add)
    for (const text of base64Of(bytes)) addEscaped(text, BASE64_ENCODERS, add)
  }
  // The pair is encoded as a whole: its own base64 has no characters left over at either end, as those of the parts have.
  if (auth.scheme === 'basic') addEscaped(bytesToBase64(utf8(pairOf(credential, auth.username))), BASE64_ENCODERS, add)
  return [...found]
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

/** A text with all that encoders make of it. */
function addEscaped(text: string, encoders: Encode[], add: (text: string) => void): void {
  add(text)
  if (!NEVER_ESCAPED.test(text)) for (const encode of encoders) add(encode(text))
}

/**
 * The base64 and base64url of bytes, whatever they are preceded and followed by: a group of three bytes makes four characters, so there are
 * three ways to fall into groups. Characters that hold bits of a neighbour are left out.
 */
function base64Of(bytes: Uint8Array): string[] {
  return [0, 1, 2].flatMap((before) => {
    const padded = new Uint8Array(before + bytes.length)
    padded.set(bytes, before)
    const whole = Math.floor((padded.length * 8) / 6)
    const standard = bytesToBase64(padded).slice(Math.ceil((before * 8) / 6), whole)
    return [standard, standard.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

/** Each encoder alone, and followed by `again`. */
function twice(encoders: Encode[], again: Encode): Encode[] {
  return [...encoders, ...encoders.map((encode) => (text: string) => again(encode(text)))]
}

function percentAll(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*._~-]/g, hexEscape('%', 2))
}

/** An encoder that writes its percent-escapes in lower case. */
function lowerCased(encode: Encode): Encode {
  return (text) => encode(text).replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())
}

function jsonEscape(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function htmlEscape(text: string, apostrophe: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => HTML_NAMES[char] ?? apostrophe)
}

function hexEntity(char: string): string {
  return `&#x${char.codePointAt(0)!.toString(16).toUpperCase()};`
}

/** Escapes a UTF-16 unit (only ASCII for "%") as hex digits behind a prefix. */
function hexEscape(prefix: string, digits: number, letters: 'upper' | 'lower' = 'upper'): (char: string) => string {
  return (char) => {
    const hex = char.charCodeAt(0).toString(16).padStart(digits, '0')
    return prefix + (letters === 'upper' ? hex.toUpperCase() : hex)
  }
}
