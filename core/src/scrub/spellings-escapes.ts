import { utf8 } from '../bytes.ts'
import { HTML_NAMES } from './spellings-html.ts'

/**
 * How encoders escape text for a URL, for JSON and for HTML. They differ in which characters they escape beyond the
 * necessary ones, so there are several of each kind.
 */

export type Encode = (text: string) => string

/**
 * Texts that only encoders change which escape all but letters and digits, or everything. Most credentials are such, so
 * few encoders are needed.
 */
const SELDOM_ESCAPED = /^[A-Za-z0-9._-]*$/
const NEVER_ESCAPED = /^[A-Za-z0-9]*$/
const NOTHING = /^$/

const URL_STYLES: Encode[] = [
  encodeURIComponent,
  // reserved characters of RFC 3986 that encodeURIComponent does not escape; Python, PHP and Go do
  (text) => encodeURIComponent(text).replaceAll(/[!'()*]/g, hexEscape('%', 2)),
  // application/x-www-form-urlencoded: as above, with a space as "+"
  (text) => new URLSearchParams([['', text]]).toString().slice(1),
  (text) => encodeURIComponent(text).replaceAll('%20', '+'),
  encodeURI,
  // paths in Go (url.PathEscape), Java and curl
  (text) => encodeURIComponent(text).replaceAll(/%(?:24|26|2B|3A|3D|40)/g, decodeURIComponent),
  // JavaScript's escape
  (text) =>
    text.replaceAll(/[^A-Za-z0-9@*_+./-]/g, (unit) => (unit > '\xff' ? hexEscape('%u', 4) : hexEscape('%', 2))(unit)),
]

const JSON_STYLES: Encode[] = [
  jsonEscape,
  // PHP: also "/" and everything but ASCII
  (text) => jsonEscape(text).replaceAll('/', '\\/'),
  (text) =>
    jsonEscape(text)
      .replaceAll('/', '\\/')
      .replaceAll(/[^\0-\x7f]/g, hexEscape('\\u', 4, 'lower')),
  // Python, Ruby: everything but ASCII
  (text) => jsonEscape(text).replaceAll(/[^\0-\x7f]/g, hexEscape('\\u', 4, 'lower')),
  // Go: also what is special in HTML
  (text) => jsonEscape(text).replaceAll(/[<>&\u2028\u2029]/g, hexEscape('\\u', 4, 'lower')),
  // .NET: the same, quotes, "+" and everything but ASCII
  (text) =>
    jsonEscape(text)
      .replaceAll('\\"', '\\u0022')
      .replaceAll(/[<>&'+`]|[^\0-\x7f]/g, hexEscape('\\u', 4)),
  // within apostrophes: JavaScript, Python
  (text) => jsonEscape(text).replaceAll('\\"', '"').replaceAll("'", "\\'"),
]

const HTML_STYLES: Encode[] = [
  // text content
  (text) => text.replaceAll(/[&<>]/g, named),
  // attributes, with an apostrophe as is, or as Go, Python, PHP and XML escape it
  ...["'", '&#39;', '&#x27;', '&#039;', '&apos;'].flatMap((apostrophe) => [
    (text: string) => htmlEscape(text, apostrophe),
    (text: string) => htmlEscape(text, apostrophe).replaceAll('&quot;', '&#34;'),
  ]),
  // PHP's htmlentities: all of Latin-1
  (text) => htmlEscape(text, '&#039;').replaceAll(/[\xa0-\xff]/g, named),
  // XML: everything but ASCII as numbers
  (text) => htmlEscape(text, "'").replaceAll(/[^\0-\x7f]/gu, decimalEntity),
]

const HTML_HEX_STYLES: Encode[] = [
  // OWASP: also "/"; Mustache and similar: also "`" and "="
  (text) => htmlEscape(text, '&#x27;').replaceAll('/', '&#x2F;'),
  (text) => htmlEscape(text, '&#39;').replaceAll(/[`/]|=/g, hexEntity),
  // named references where they exist, numbers for the rest
  (text) => text.replaceAll(/[^A-Za-z0-9]/gu, (char) => HTML_NAMES[char] ?? hexEntity(char)),
  // XML: everything but ASCII as numbers
  (text) => htmlEscape(text, "'").replaceAll(/[^\0-\x7f]/gu, hexEntity),
]

/**
 * Quoted-printable (RFC 2045, section 6.7) and the bytes literals of Python and C: they escape all bytes but printable
 * ASCII.
 */
const BYTE_STYLES: Encode[] = [
  (text) => eachByte(text, (byte, char) => (/^[!-<>-~ ]$/.test(char) ? char : `=${hexOf(byte, 2)}`)),
  (text) =>
    eachByte(text, (byte, char) =>
      /^[ -~]$/.test(char) ? char.replace('\\', '\\\\') : `\\x${hexOf(byte, 2).toLowerCase()}`,
    ),
]

/** Encoders that escape everything but letters and digits. */
const ZEALOUS: Encode[] = [
  ...twice(bothCases(percentAll), encodeURIComponent),
  ...twice(
    [
      (text) => text.replaceAll(/[^A-Za-z0-9]/gu, decimalEntity),
      ...bothCases((text) => text.replaceAll(/[^A-Za-z0-9]/gu, hexEntity)),
      (text) => text.replaceAll(/[^A-Za-z0-9]/gu, named),
    ],
    htmlEscapeAgain,
  ),
  ...twice(
    bothCases((text) => text.replaceAll(/[^A-Za-z0-9]/g, hexEscape('\\u', 4))),
    jsonEscape,
  ),
]

/** Encoders that escape every character. */
const EVERY_URL = bothCases((text) => eachByte(text, (byte) => `%${hexOf(byte, 2)}`))
const EVERY_JSON = bothCases((text) => text.replaceAll(/[^]/g, hexEscape('\\u', 4)))
const EVERY_HTML: Encode[] = [
  (text) => text.replaceAll(/[^]/gu, decimalEntity),
  ...bothCases((text) => text.replaceAll(/[^]/gu, hexEntity)),
]

const MOST: Encode[] = [
  ...twice(URL_STYLES.flatMap(bothCases), encodeURIComponent),
  ...twice(JSON_STYLES, jsonEscape),
  ...twice([...HTML_STYLES, ...HTML_HEX_STYLES.flatMap(bothCases)], htmlEscapeAgain),
  ...BYTE_STYLES,
  // one encoding inside another
  ...bothCases(after(jsonEscape, encodeURIComponent)),
  ...bothCases(after(htmlEscapeAgain, encodeURIComponent)),
  after(jsonEscape, htmlEscapeAgain),
]

/** Encoders, and a pattern of the texts that they leave unchanged. */
const GROUPS: { encoders: Encode[]; unless: RegExp; rare?: true }[] = [
  { encoders: MOST.map(byCharacter), unless: SELDOM_ESCAPED },
  { encoders: ZEALOUS.map(byCharacter), unless: NEVER_ESCAPED },
  { encoders: [...EVERY_URL, ...EVERY_JSON, ...EVERY_HTML].map(byCharacter), unless: NOTHING },
  {
    encoders: [
      ...EVERY_URL.map((encode) => after(encode, encodeURIComponent)),
      ...EVERY_JSON.map((encode) => after(encode, jsonEscape)),
      ...EVERY_HTML.map((encode) => after(encode, htmlEscapeAgain)),
    ].map(byCharacter),
    unless: NOTHING,
    rare: true,
  },
]

/**
 * What encoders make of a text, likely ones first. `rare` adds those that seldom occur. Some results repeat, or equal
 * the text.
 */
export function* escapesFor(text: string, rare: boolean): Generator<string> {
  for (const group of GROUPS) {
    if (group.unless.test(text) || (group.rare && !rare)) continue
    for (const encode of group.encoders) yield encode(text)
  }
}

/**
 * A secret's spellings as they look in a JSON document that is scrubbed as text, for example in pieces. Secrets without
 * characters to escape look the same there.
 */
export function withinJson(secret: string, spellings: Iterable<string>): string[] {
  if (SELDOM_ESCAPED.test(secret)) return []
  return [...spellings].flatMap((text) =>
    JSON_CHANGES.test(text) ? [JSON_STYLES[0]!(text), JSON_STYLES[1]!(text), JSON_STYLES[3]!(text)] : [],
  )
}
const JSON_CHANGES = /["\\/\0-\x1f]|[^\0-\x7f]/

/** All encoders treat each character by itself, so each ASCII character is encoded only once. */
function byCharacter(encode: Encode): Encode {
  const known: string[] = []
  return (text) => {
    let encoded = ''
    for (const char of text) {
      const code = char.codePointAt(0)!
      encoded += code < 128 ? (known[code] ??= encode(char)) : encode(char)
    }
    return encoded
  }
}

/** Each encoder alone, and followed by `again`. */
function twice(encoders: Encode[], again: Encode): Encode[] {
  return [...encoders, ...encoders.map((encode) => after(encode, again))]
}

function after(first: Encode, then: Encode): Encode {
  return (text) => then(first(text))
}

function bothCases(encode: Encode): Encode[] {
  return [encode, lowerCased(encode)]
}

/** An encoder that writes the hex digits of its escapes in lower case. */
export function lowerCased(encode: Encode): Encode {
  return (text) =>
    encode(text).replaceAll(/%[0-9A-F]{2}|%u[0-9A-F]{4}|\\u[0-9A-F]{4}|&#x[0-9A-F]+;/g, (escape) =>
      escape.toLowerCase(),
    )
}

function percentAll(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*._~-]/g, hexEscape('%', 2))
}

function jsonEscape(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function htmlEscape(text: string, apostrophe: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => (char === "'" ? apostrophe : named(char)))
}

function htmlEscapeAgain(text: string): string {
  return htmlEscape(text, '&#39;')
}

function named(char: string): string {
  return HTML_NAMES[char] ?? char
}

function decimalEntity(char: string): string {
  return `&#${char.codePointAt(0)};`
}

function hexEntity(char: string): string {
  return `&#x${hexOf(char.codePointAt(0)!, 1)};`
}

function eachByte(text: string, spell: (byte: number, char: string) => string): string {
  let spelt = ''
  for (const byte of utf8(text)) spelt += spell(byte, String.fromCharCode(byte))
  return spelt
}

/** Escapes a UTF-16 unit as hex digits after a prefix. */
function hexEscape(prefix: string, digits: number, letters: 'upper' | 'lower' = 'upper'): Encode {
  return (unit) => {
    const hex = hexOf(unit.charCodeAt(0), digits)
    return prefix + (letters === 'upper' ? hex : hex.toLowerCase())
  }
}

function hexOf(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, '0')
}
