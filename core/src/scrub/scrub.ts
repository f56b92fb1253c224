import { utf8 } from '../bytes.ts'
import { automatonOf } from './automaton.ts'
import { filterOf, WINDOW_MAX } from './filter.ts'
import { jsonScrubber } from './json.ts'
import { BYTES, streamScrubber, TEXT, type Form, type Search, type StreamScrubber, type Units } from './stream.ts'
import { spellingsOf } from './spellings.ts'
import type { Answer, AuthScheme } from '../tool.ts'

export type { StreamScrubber } from './stream.ts'

/**
 * Takes a credential out of what an upstream answers, in every spelling in which upstreams echo what they were sent (spellings.ts says
 * which), and puts REDACTED_CREDENTIAL in its place.
 *
 * In JSON it is looked for in strings and object keys at any depth; a number or boolean goes when it is the credential. In text and bytes,
 * spellings that overlap or touch go together as one place, so that a short one cannot leave a part of a longer one behind. From its
 * 10,000th place on a text is replaced whole.
 *
 * The credential itself is replaced however short it is, and a very short one mangles answers: that is the owner's choice. What is not
 * found: a credential encrypted, compressed, hashed, split up (by the line breaks of MIME too) or reversed, nor one inside of an archive
 * or image.
 */
export interface Scrubber {
  /** `count`: places replaced. What holds none is passed as it is, uncopied. */
  answer(answer: Answer): { answer: Answer; count: number }
  text(text: string): { text: string; count: number }
  /** For text in pieces, which may end within a surrogate pair. */
  textStream(): StreamScrubber<string>
  byteStream(): StreamScrubber<Uint8Array>
}

/** `auth` says what was made of the credential on the way. Without a credential everything passes as it is. */
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

/** Most answers are told by the filter to hold nothing: the rest is made when it is needed. */
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

/** The first bytes of a text; what is cut in two by slice() ends beyond them. */
function firstBytes(text: string): Uint8Array {
  return utf8(text.slice(0, WINDOW_MAX + 1)).subarray(0, WINDOW_MAX)
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}
