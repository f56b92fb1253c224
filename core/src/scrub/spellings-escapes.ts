import { utf8 } from '../bytes.ts'
import { HTML_NAMES } from './spellings-html.ts'

/**
 * How encoders escape text for a URL, for JSON and for HTML. They differ in what they escape beyond what they must, so there are
 * several of each kind.
 */

export type Encode = (text: string) => string

/** What only those encoders escape that escape all but letters and digits, or everything: most credentials need few encoders. */
const SELDOM_ESCAPED = /^[A-Za-z0-9._-]*$/
const NEVER_ESCAPED = /^[A-Za-z0-9]*$/
const NOTHING = /^$/

const URL_STYLES: Encode[] = [
  encodeURIComponent,
  // what encodeURIComponent leaves out of RFC 3986's reserved characters; Python, PHP and Go escape them
  (text) => encodeURIComponent(text).replaceAll(/[!'()*]/g, hexEscape('%', 2)),
  // application/x-www-form-urlencoded: of the above with space as "+"
  (text) => new URLSearchParams([['', text]]).toString().slice(1),
  (text) => encodeURIComponent(text).replaceAll('%20', '+'),
  encodeURI,
  // Go's url.PathEscape and Java's and curl's ways with a path
  (text) => encodeURIComponent(text).replaceAll(/%(?:24|26|2B|3A|3D|40)/g, decodeURIComponent),
  // JavaScript's escape
  (text) =>
    text.replaceAll(/[^A-Za-z0-9@*_+./-]/g, (unit) => (unit > '\xff' ? hexEscape('%u', 4) : hexEscape('%', 2))(unit)),
]

const JSON_STYLES: Encode[] = [
  jsonEscape,
  // PHP: "/" too, and all but ASCII
  (text) => jsonEscape(text).replaceAll('/', '\\/'),
  (text) =>
    jsonEscape(text)
      .replaceAll('/', '\\/')
      .replaceAll(/[^\0-\x7f]/g, hexEscape('\\u', 4, 'lower')),
  // Python, Ruby: all but ASCII
  (text) => jsonEscape(text).replaceAll(/[^\0-\x7f]/g, hexEscape('\\u', 4, 'lower')),
  // Go: what HTML would read
  (text) => jsonEscape(text).replaceAll(/[<>&\u2028\u2029]/g, hexEscape('\\u', 4, 'lower')),
  // .NET: these, quotes, "+" and all but ASCII
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
  // attributes, and the ways to write an apostrophe: none, Go and Python, PHP, XML
  ...["'", '&#39;', '&#x27;', '&#039;', '&apos;'].flatMap((apostrophe) => [
    (text: string) => htmlEscape(text, apostrophe),
    (text: string) => htmlEscape(text, apostrophe).replaceAll('&quot;', '&#34;'),
  ]),
  // PHP's htmlentities: all of Latin-1
  (text) => htmlEscape(text, '&#039;').replaceAll(/[\xa0-\xff]/g, named),
  // XML: all but ASCII by its number
  (text) => htmlEscape(text, "'").replaceAll(/[^\0-\x7f]/gu, decimalEntity),
]

const HTML_HEX_STYLES: Encode[] = [
  // OWASP: "/" too; Mustache and its like: "`" and "=" besides
  (text) => htmlEscape(text, '&#x27;').replaceAll('/', '&#x2F;'),
  (text) => htmlEscape(text, '&#39;').replaceAll(/[`/]|=/g, hexEntity),
  // all that has a name by its name, and the rest by its number
  (text) => text.replaceAll(/[^A-Za-z0-9]/gu, (char) => HTML_NAMES[char] ?? hexEntity(char)),
  // XML: all but ASCII by its number
  (text) => htmlEscape(text, "'").replaceAll(/[^\0-\x7f]/gu, hexEntity),
]

/** Quoted-printable (RFC 2045, section 6.7), and the bytes literals of Python and C: all but printable ASCII, by bytes. */
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
  // one within another
  ...bothCases(after(jsonEscape, encodeURIComponent)),
  ...bothCases(after(htmlEscapeAgain, encodeURIComponent)),
  after(jsonEscape, htmlEscapeAgain),
]

/** Encoders, and the texts that they make something else of. */
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

/** What encoders make of a text, likely ones first. `rare`: also what is seldom met. Some of it is the text itself, or the same again. */
export function* escapesFor(text: string, rare: boolean): Generator<string> {
  for (const group of GROUPS) {
    if (group.unless.test(text) || (group.rare && !rare)) continue
    for (const encode of group.encoders) yield encode(text)
  }
}

/**
 * What becomes of a secret's spellings within a JSON document that passes as text, as one in pieces does. Those of secrets without anything to
 * escape are among the spellings already.
 */
export function withinJson(secret: string, spellings: Iterable<string>): string[] {
  if (SELDOM_ESCAPED.test(secret)) return []
  return [...spellings].flatMap((text) =>
    JSON_CHANGES.test(text) ? [JSON_STYLES[0]!(text), JSON_STYLES[1]!(text), JSON_STYLES[3]!(text)] : [],
  )
}
const JSON_CHANGES = /["\\/\0-\x1f]|[^\0-\x7f]/

/** All encoders treat each character by itself, and so need to be asked but once about each of ASCII. */
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

/** Escapes a UTF-16 unit as hex digits behind a prefix. */
function hexEscape(prefix: string, digits: number, letters: 'upper' | 'lower' = 'upper'): Encode {
  return (unit) => {
    const hex = hexOf(unit.charCodeAt(0), digits)
    return prefix + (letters === 'upper' ? hex : hex.toLowerCase())
  }
}

function hexOf(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, '0')
}
