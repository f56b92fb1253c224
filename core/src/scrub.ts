import { concatBytes, utf8 } from './bytes.ts'
import { REDACTED } from './redact.ts'
import { spellingsOf } from './spellings.ts'
import type { JsonValue } from './json-value.ts'
import type { Answer, AuthScheme } from './tool.ts'

/**
 * Takes a credential out of what an upstream answers, in every spelling in which upstreams echo what they were sent.
 *
 * Looked for, in strings and object keys at any depth, in text and in bytes: the credential as it is; URL-, JSON- and
 * HTML-escaped, each once and twice; as hex; as base64 and base64url at all three alignments, so that it is found within something longer
 * that was encoded. A number or boolean goes when it is the credential. All matches are marked before anything is replaced
 * and overlapping ones go together, so that a short spelling cannot leave a part of a longer one behind.
 *
 * The secret parts of a credential are looked for by themselves too: the password of a `user:password` pair, what follows the scheme
 * in a header like `Bearer x`, and the sensitive fields of a JSON credential such as a service account's key.
 *
 * The credential itself is replaced however short it is, and a very short one mangles answers: that is the owner's choice. Derived
 * spellings and parts of fewer than four characters are not looked for. What is not found: a credential encrypted, compressed,
 * hashed, split up or reversed, nor one inside of an archive or image.
 */
export type Scrubber = (answer: Answer) => Answer

/** Deeper values are replaced whole: the walk recurses. Answers of `http` tools never come near. */
const DEPTH_MAX = 512

interface Needles {
  texts: string[]
  /** Length of the shortest text: most strings in an answer are shorter and need no look. */
  lengthMin: number
  /** What the credential is as a JSON number; NaN when it is none. */
  number: number
  /** What it is as a JSON boolean. */
  boolean: boolean | null
}

/** `auth` says what was made of the credential on the way. Without a credential answers pass as they are. */
export function createScrubber(credential: string | null, auth: AuthScheme): Scrubber {
  if (credential === null || credential === '') return (answer) => answer
  const texts = spellingsOf(credential, auth)
  const needles: Needles = {
    texts,
    lengthMin: Math.min(...texts.map((text) => text.length)),
    number: credential.trim() === '' ? Number.NaN : Number(credential),
    boolean: credential === 'true' ? true : credential === 'false' ? false : null,
  }
  return (answer) => scrub(answer, needles)
}

function scrub(answer: Answer, needles: Needles): Answer {
  switch (answer.type) {
    case 'json':
      // Looking costs far less than rebuilding, and mostly there is nothing to find.
      return holds(answer.value, needles, DEPTH_MAX) ? { type: 'json', value: scrubValue(answer.value, needles, DEPTH_MAX) } : answer
    case 'text':
      return { type: 'text', text: scrubText(answer.text, needles) }
    case 'binary':
      return { type: 'binary', bytes: scrubBytes(answer.bytes, needles), contentType: scrubText(answer.contentType, needles) }
  }
}

function holds(value: JsonValue, needles: Needles, levels: number): boolean {
  if (typeof value === 'string') return isIn(value, needles)
  if (typeof value === 'number') return value === needles.number
  if (typeof value === 'boolean') return value === needles.boolean
  if (value === null) return false
  if (levels === 0) return true
  if (Array.isArray(value)) return value.some((item) => holds(item, needles, levels - 1))
  for (const key of Object.keys(value)) {
    if (isIn(key, needles) || holds(value[key]!, needles, levels - 1)) return true
  }
  return false
}

function isIn(text: string, needles: Needles): boolean {
  return text.length >= needles.lengthMin && needles.texts.some((needle) => text.includes(needle))
}

function scrubValue(value: JsonValue, needles: Needles, levels: number): JsonValue {
  if (typeof value === 'string') return scrubText(value, needles)
  if (typeof value === 'number') return value === needles.number ? REDACTED : value
  if (typeof value === 'boolean') return value === needles.boolean ? REDACTED : value
  if (value === null) return value
  if (levels === 0) return REDACTED
  if (Array.isArray(value)) return value.map((item) => scrubValue(item, needles, levels - 1))
  const entries = new Map<string, JsonValue>()
  for (const [key, inner] of Object.entries(value)) {
    const scrubbed = scrubText(key, needles)
    let name = scrubbed
    // Keys that differ only in how they spell the credential must not swallow one another.
    for (let n = 2; entries.has(name); n++) name = `${scrubbed} (${n})`
    entries.set(name, scrubValue(inner, needles, levels - 1))
  }
  return Object.fromEntries(entries)
}

function scrubText(text: string, needles: Needles): string {
  if (!isIn(text, needles)) return text
  let scrubbed = ''
  let end = 0
  for (const [from, to] of spansIn(text, needles.texts)) {
    scrubbed += text.slice(end, from) + REDACTED
    end = to
  }
  return scrubbed + text.slice(end)
}

/** Gives every byte one character of its own, so that bytes can be searched as text, which engines do much faster. */
const singleByte = new TextDecoder('windows-1252')

function scrubBytes(bytes: Uint8Array, needles: Needles): Uint8Array {
  const spans = spansIn(singleByte.decode(bytes), needles.texts.map((text) => singleByte.decode(utf8(text))))
  if (spans.length === 0) return bytes
  const parts: Uint8Array[] = []
  let end = 0
  for (const [from, to] of spans) {
    parts.push(bytes.subarray(end, from), utf8(REDACTED))
    end = to
  }
  return concatBytes(...parts, bytes.subarray(end))
}

type Span = [from: number, to: number]

/** Where any of the texts stands, in order; what overlaps is one span. */
function spansIn(text: string, needles: string[]): Span[] {
  const found: Span[] = []
  for (const needle of needles) {
    for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + needle.length)) found.push([at, at + needle.length])
  }
  const spans: Span[] = []
  for (const [from, to] of found.sort((a, b) => a[0] - b[0])) {
    const last = spans.at(-1)
    if (last && from < last[1]) last[1] = Math.max(last[1], to)
    else spans.push([from, to])
  }
  return spans
}
