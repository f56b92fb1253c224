import { utf8 } from '../bytes.ts'
import { automatonOf } from './automaton.ts'
import { filterOf, WINDOW_MAX } from './filter.ts'
import { jsonScrubber } from './json.ts'
import { BYTES, streamScrubber, TEXT, type Form, type Search, type StreamScrubber, type Units } from './stream.ts'
import { spellingsOf } from './spellings.ts'
import type { Answer, AuthScheme } from '../tool.ts'

export type { StreamScrubber } from './stream.ts'

/**
 * Replaces a credential in an upstream's answer with REDACTED_CREDENTIAL, in every spelling in which upstreams echo
 * what they received (listed in spellings.ts).
 *
 * JSON is searched in strings and object keys at any depth; a number or boolean is replaced if it equals the
 * credential. In text and bytes, spellings that overlap or touch are replaced as one place, so that a short one cannot
 * leave part of a longer one. From its 10,000th place on, a text is replaced whole.
 *
 * The credential itself is replaced however short it is. A very short one mangles answers; that is the owner's choice.
 * Not found: a credential that is encrypted, compressed, hashed, reversed or split up (also by MIME line breaks), or
 * inside an archive or image.
 */
export interface Scrubber {
  /** `count`: places replaced. An answer without the credential is returned as it is, not copied. */
  answer(answer: Answer): { answer: Answer; count: number }
  text(text: string): { text: string; count: number }
  /** For text that comes in pieces, which may split a surrogate pair. */
  textStream(): StreamScrubber<string>
  byteStream(): StreamScrubber<Uint8Array>
}

/** `auth` says how the credential was sent. Without a credential, answers are returned unchanged. */
export function createScrubber(credential: string | null, auth: AuthScheme): Scrubber {
  if (credential === null || credential === '') return PASSING
  const spellings = spellingsOf(credential, auth)
  const inText = once(() =>
    searchFor(
      spellings.map((text) => text.slice(0, WINDOW_MAX)),
      () => spellings.map(unitsOf),
      TEXT,
    ),
  )
  const inBytes = once(() => searchFor(spellings.map(firstBytes), () => spellings.map(utf8), BYTES))

  const text = (whole: string) => {
    const { value, count } = scrubWhole(whole, inText(), TEXT)
    return { text: value, count }
  }
  const json = jsonScrubber(credential, inText().mayHold, text)

  return {
    answer(answer) {
      switch (answer.type) {
        case 'json': {
          const { value, count } = json(answer.value)
          return { answer: count === 0 ? answer : { type: 'json', value }, count }
        }
        case 'text': {
          const scrubbed = text(answer.text)
          return { answer: { type: 'text', text: scrubbed.text }, count: scrubbed.count }
        }
        case 'binary': {
          const bytes = scrubWhole(answer.bytes, inBytes(), BYTES)
          const contentType = text(answer.contentType)
          return {
            answer: { type: 'binary', bytes: bytes.value, contentType: contentType.text },
            count: bytes.count + contentType.count,
          }
        }
      }
    },
    text,
    textStream: () => streamScrubber(inText(), TEXT),
    byteStream: () => streamScrubber(inBytes(), BYTES),
  }
}

/** The automaton is built when first needed: for most answers the filter already shows that they hold nothing. */
function searchFor<T extends Units>(
  beginnings: T[],
  needles: () => ArrayLike<number>[],
  { unitAt }: Form<T>,
): Search<T> & { mayHold(whole: T): boolean } {
  const filter = filterOf(beginnings, unitAt)
  return {
    filter,
    automaton: once(() => automatonOf(needles())),
    mayHold: (whole) => filter.next(whole, 0) + filter.window <= whole.length,
  }
}

function scrubWhole<T extends Units>(
  whole: T,
  search: ReturnType<typeof searchFor<T>>,
  form: Form<T>,
): { value: T; count: number } {
  if (!search.mayHold(whole)) return { value: whole, count: 0 }
  const stream = streamScrubber(search, form)
  const parts = [stream.push(whole), stream.end()].filter((part) => part.length > 0)
  return { value: form.join(parts), count: stream.count }
}

const PASSING: Scrubber = {
  answer: (answer) => ({ answer, count: 0 }),
  text: (text) => ({ text, count: 0 }),
  textStream: () => passing(''),
  byteStream: () => passing<Uint8Array>(new Uint8Array()),
}

function passing<T>(empty: T): StreamScrubber<T> {
  return { push: (chunk) => chunk, end: () => empty, count: 0 }
}

function unitsOf(text: string): Uint16Array {
  const units = new Uint16Array(text.length)
  for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i)
  return units
}

/** The first bytes of a text. slice() may split a character, but only after these bytes. */
function firstBytes(text: string): Uint8Array {
  return utf8(text.slice(0, WINDOW_MAX + 1)).subarray(0, WINDOW_MAX)
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}
