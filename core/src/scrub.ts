import { concatBytes, utf8 } from './bytes.ts'
import { REDACTED_CREDENTIAL as REDACTED } from './redact.ts'
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
export interface Scrubber {
  answer(answer: Answer): { answer: Answer; count: number }
  text(text: string): { text: string; count: number }
  textStream(): StreamScrubber<string>
  byteStream(): StreamScrubber<Uint8Array>
}

/** Scrubs what comes in pieces; all that it gives out is, put together, what scrubbing the whole would give. */
export interface StreamScrubber<T> {
  /** What of the text so far can go out; empty when all of it may be the beginning of a spelling. */
  push(chunk: T): T
  /** The rest; nothing is pushed afterwards. */
  end(): T
  /** Places replaced so far. */
  readonly count: number
}

/** Places replaced are counted here while an answer is walked. */
interface Tally {
  count: number
}

/** Deeper values are replaced whole: the walk recurses. Answers of `http` tools never come near. */
const DEPTH_MAX = 512

/**
 * A longer spelling is found by its end, and its length before that goes with it. Search takes time in proportion to what is
 * searched for times what is searched, if both are made for it, and a tool's owner chooses both. The end, because tokens of one
 * issuer begin alike.
 */
const WINDOW_LENGTH_MAX = 64
/** A string that holds the credential more often is replaced whole. */
const SPANS_MAX = 10_000

interface Needle {
  text: string
  /** Its end. */
  window: string
  length: number
}

interface Needles {
  texts: Needle[]
  /** Length of the shortest window: most strings in an answer are shorter and need no look. */
  lengthMin: number
  /** What the credential is as a JSON number; NaN when it is none. */
  number: number
  /** What it is as a JSON boolean. */
  boolean: boolean | null
}

/** `auth` says what was made of the credential on the way. Without a credential answers pass as they are. */
export function createScrubber(credential: string | null, auth: AuthScheme): Scrubber {
  if (credential === null || credential === '') return PASSING
  const texts = spellingsOf(credential, auth).map((text) => ({ text, window: text.slice(-WINDOW_LENGTH_MAX), length: text.length }))
  const needles: Needles = {
    texts,
    lengthMin: Math.min(...texts.map(({ window }) => window.length)),
    number: credential.trim() === '' ? Number.NaN : Number(credential),
    boolean: credential === 'true' ? true : credential === 'false' ? false : null,
  }
  return {
    answer(answer) {
      const tally = { count: 0 }
      return { answer: scrub(answer, needles, tally), count: tally.count }
    },
    text(text) {
      const tally = { count: 0 }
      return { text: scrubText(text, needles, tally), count: tally.count }
    },
    textStream: () => wholeAtEnd('', (parts) => parts.join(''), (text, tally) => scrubText(text, needles, tally)),
    byteStream: () => wholeAtEnd<Uint8Array>(new Uint8Array(), (parts) => concatBytes(...parts), (bytes, tally) => scrubBytes(bytes, needles, tally)),
  }
}

const PASSING: Scrubber = {
  answer: (answer) => ({ answer, count: 0 }),
  text: (text) => ({ text, count: 0 }),
  textStream: () => passing(''),
  byteStream: () => passing(new Uint8Array()),
}

function passing<T>(empty: T): StreamScrubber<T> {
  return { push: (chunk) => chunk, end: () => empty, count: 0 }
}

function wholeAtEnd<T>(empty: T, join: (parts: T[]) => T, scrubWhole: (whole: T, tally: Tally) => T): StreamScrubber<T> {
  const parts: T[] = []
  const tally = { count: 0 }
  return {
    push(chunk) {
      parts.push(chunk)
      return empty
    },
    end: () => scrubWhole(join(parts), tally),
    get count() {
      return tally.count
    },
  }
}

function scrub(answer: Answer, needles: Needles, tally: Tally): Answer {
  switch (answer.type) {
    case 'json':
      // Looking costs far less than rebuilding, and mostly there is nothing to find.
      return holds(answer.value, needles, DEPTH_MAX) ? { type: 'json', value: scrubValue(answer.value, needles, tally, DEPTH_MAX) } : answer
    case 'text':
      return { type: 'text', text: scrubText(answer.text, needles, tally) }
    case 'binary':
      return { type: 'binary', bytes: scrubBytes(answer.bytes, needles, tally), contentType: scrubText(answer.contentType, needles, tally) }
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
  return text.length >= needles.lengthMin && needles.texts.some(({ window }) => text.includes(window))
}

function scrubValue(value: JsonValue, needles: Needles, tally: Tally, levels: number): JsonValue {
  if (typeof value === 'string') return scrubText(value, needles, tally)
  if (typeof value === 'number') return value === needles.number ? marker(tally) : value
  if (typeof value === 'boolean') return value === needles.boolean ? marker(tally) : value
  if (value === null) return value
  if (levels === 0) return marker(tally)
  if (Array.isArray(value)) return value.map((item) => scrubValue(item, needles, tally, levels - 1))
  const entries = new Map<string, JsonValue>()
  for (const [key, inner] of Object.entries(value)) {
    const scrubbed = scrubText(key, needles, tally)
    let name = scrubbed
    // Keys that differ only in how they spell the credential must not swallow one another.
    for (let n = 2; entries.has(name); n++) name = `${scrubbed} (${n})`
    entries.set(name, scrubValue(inner, needles, tally, levels - 1))
  }
  return Object.fromEntries(entries)
}

function marker(tally: Tally): string {
  tally.count++
  return REDACTED
}

function scrubText(text: string, needles: Needles, tally: Tally): string {
  if (!isIn(text, needles)) return text
  const spans = spansOf(needles.texts, (window, from) => text.indexOf(window, from))
  if (spans === null) return marker(tally)
  let scrubbed = ''
  let end = 0
  for (const [from, to] of spans) {
    scrubbed += text.slice(end, from) + marker(tally)
    end = to
  }
  return scrubbed + text.slice(end)
}

function scrubBytes(bytes: Uint8Array, needles: Needles, tally: Tally): Uint8Array {
  const spans = spansOf(needles.texts.map(inUtf8), (window, from) => indexOfBytes(bytes, window, from))
  if (spans === null) return utf8(marker(tally))
  if (spans.length === 0) return bytes
  const parts: Uint8Array[] = []
  let end = 0
  for (const [from, to] of spans) {
    parts.push(bytes.subarray(end, from), utf8(marker(tally)))
    end = to
  }
  return concatBytes(...parts, bytes.subarray(end))
}

/** A spelling by the bytes of its end, and its length in bytes. */
function inUtf8({ text }: Needle): { window: Uint8Array; length: number } {
  const bytes = utf8(text)
  return { window: bytes.subarray(-WINDOW_LENGTH_MAX), length: bytes.length }
}

type Span = [from: number, to: number]

/** Where the needles stand, in order, with what overlaps or touches united; null for more than SPANS_MAX places. */
function spansOf<T extends string | Uint8Array>(needles: { window: T; length: number }[], find: (window: T, from: number) => number): Span[] | null {
  const found: Span[] = []
  for (const { window, length } of needles) {
    for (let at = find(window, 0); at !== -1; at = find(window, at + window.length)) {
      const to = at + window.length
      if (found.push([Math.max(0, to - length), to]) > SPANS_MAX) return null
    }
  }
  const spans: Span[] = []
  for (const [from, to] of found.sort((a, b) => a[0] - b[0])) {
    const last = spans.at(-1)
    if (last && from <= last[1]) last[1] = Math.max(last[1], to)
    else spans.push([from, to])
  }
  return spans
}

function indexOfBytes(bytes: Uint8Array, window: Uint8Array, start: number): number {
  const last = bytes.length - window.length
  for (let at = bytes.indexOf(window[0]!, start); at !== -1 && at <= last; at = bytes.indexOf(window[0]!, at + 1)) {
    let same = 1
    while (same < window.length && bytes[at + same] === window[same]) same++
    if (same === window.length) return at
  }
  return -1
}
