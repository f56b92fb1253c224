import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { REDACTED_CREDENTIAL as MARKER } from './redact.ts'
import { createScrubber } from './scrub.ts'
import { automatonOf } from './automaton.ts'
import { filterOf, WINDOW_MAX } from './filter.ts'
import { streamScrubber, TEXT, type StreamScrubber } from './stream.ts'
import { spellingsOf } from './spellings.ts'

const unitsOf = (text: string) => Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))

/** Makes streams, all of which search by the same tables, as those of one credential do. */
function textStreams(needles: string[]): () => StreamScrubber<string> {
  const filter = filterOf(
    needles.map((needle) => needle.slice(0, WINDOW_MAX)),
    TEXT.unitAt,
  )
  const automaton = automatonOf(needles.map(unitsOf))
  return () => streamScrubber({ filter, automaton: () => automaton }, TEXT)
}

/**
 * All places of all needles one by one, united where they overlap or touch. Shares no thought with the code under test.
 */
function placesIn(text: string, needles: string[]): [from: number, to: number][] {
  const marked = new Uint8Array(text.length + 1)
  for (const needle of needles) {
    for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + 1))
      marked.fill(1, at, at + needle.length)
  }
  return [...Buffer.from(marked).toString('latin1').matchAll(/\x01+/g)].map((run) => [
    run.index,
    run.index + run[0].length,
  ])
}

/** The scrubbed text before `limit`, including the markers of places that begin there or earlier. */
function scrubbedUntil(limit: number, text: string, needles: string[]): string {
  let out = ''
  let end = 0
  for (const [from, to] of placesIn(text, needles)) {
    if (from > limit) break
    out += text.slice(end, from) + MARKER
    end = to
  }
  return out + text.slice(end, Math.max(end, limit))
}

/** Length of the longest end of the text with which a needle begins. */
function openEnd(text: string, needles: string[]): number {
  for (let length = text.length; length > 0; length--) {
    const end = text.slice(-length)
    if (needles.some((needle) => needle.startsWith(end))) return length
  }
  return 0
}

function cut<T extends { slice(from: number, to?: number): T }>(whole: T, cuts: number[]): T[] {
  const places = [...cuts].sort((a, b) => a - b)
  return [0, ...places].map((from, i) => whole.slice(from, places[i]))
}

function run(stream: StreamScrubber<string>, chunks: string[]): string {
  return chunks.map((chunk) => stream.push(chunk)).join('') + stream.end()
}

function runBytes(stream: StreamScrubber<Uint8Array>, chunks: Uint8Array[]): Buffer {
  const out = chunks.map((chunk) => {
    const pushed = Buffer.from(chunk)
    const part = Buffer.from(stream.push(pushed))
    // The reader of a socket may reuse this memory for the next chunk.
    pushed.fill(0x61)
    return part
  })
  return Buffer.concat([...out, stream.end()])
}

/** Few letters make needles overlap, contain and continue one another all the time. */
const dense = (letters: string, min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...letters), minLength: min, maxLength: max })

describe('any needles', () => {
  const small = fc.tuple(fc.array(dense('ab', 1, 5), { minLength: 1, maxLength: 4 }), dense('abc', 0, 12))

  it('are found however a text is cut into two and three', () => {
    fc.assert(
      fc.property(small, ([needles, text]) => {
        const expected = scrubbedUntil(text.length, text, needles)
        const places = placesIn(text, needles).length
        const textStream = textStreams(needles)
        for (let i = 0; i <= text.length; i++) {
          for (let j = i; j <= text.length; j++) {
            const stream = textStream()
            expect(run(stream, cut(text, [i, j]))).toBe(expected)
            expect(stream.count).toBe(places)
          }
        }
      }),
      { numRuns: 300 },
    )
  }, 30_000)

  it('hold back what may be the beginning of one, and nothing else', () => {
    fc.assert(
      fc.property(small, fc.array(fc.nat(12), { maxLength: 12 }), ([needles, text], cuts) => {
        const stream = textStreams(needles)()
        let read = ''
        let out = ''
        for (const chunk of cut(text, cuts)) {
          read += chunk
          out += stream.push(chunk)
          // A place that ends the text has its marker out; whether more of the text belongs to it is seen later.
          expect(out).toBe(scrubbedUntil(read.length - openEnd(read, needles), read, needles))
        }
      }),
      { numRuns: 2_000 },
    )
  }, 30_000)

  it('are found where the filter skips', () => {
    const long = dense('ab', 3, 45)
    const noise = dense('abcdefghijklmnopqrstuvwxyzé漢', 0, 60)
    const texts = fc.array(long, { minLength: 1, maxLength: 4 }).chain((needles) =>
      fc.tuple(
        fc.constant(needles),
        fc.array(
          fc.oneof(
            noise,
            fc.constantFrom(...needles),
            fc.constantFrom(...needles).map((n) => n.slice(0, -1)),
          ),
          { maxLength: 10 },
        ),
      ),
    )
    fc.assert(
      fc.property(texts, fc.array(fc.nat(400), { maxLength: 6 }), ([needles, parts], cuts) => {
        const text = parts.join('')
        expect(run(textStreams(needles)(), cut(text, cuts))).toBe(scrubbedUntil(text.length, text, needles))
      }),
      { numRuns: 1_000 },
    )
  }, 30_000)
})

/** Characters that encoders escape, characters that they don't, and characters of one to four bytes. */
const credential = fc.oneof(
  fc.string({
    unit: fc.constantFrom(...'aZ09', ...'%+&<>"\'/\\=~ .-_:{}*\n', 'é', 'ÿ', '鍵', '🔑'),
    minLength: 1,
    maxLength: 12,
  }),
  fc.string({ unit: fc.constantFrom(...'abcdef0123456789'), minLength: 4, maxLength: 24 }),
  fc.stringMatching(/^[A-Za-z0-9_-]{20,48}$/),
)
const auth = fc.constantFrom(
  { scheme: 'bearer' } as const,
  { scheme: 'basic' } as const,
  { scheme: 'basic', username: 'u' } as const,
)

interface Case {
  scrubber: ReturnType<typeof createScrubber>
  spellings: string[]
  parts: string[]
}

/** Spellings of a credential whole, cut short, changed at one place, upon one another, and things between. */
const cases: fc.Arbitrary<Case> = fc.tuple(credential, auth).chain(([secret, scheme]) => {
  const spellings = spellingsOf(secret, scheme)
  const spelling = fc.constantFrom(...spellings)
  const part = fc.oneof(
    { weight: 4, arbitrary: spelling },
    { weight: 2, arbitrary: fc.tuple(spelling, fc.nat(200)).map(([text, n]) => text.slice(0, n % text.length)) },
    { weight: 1, arbitrary: fc.tuple(spelling, fc.nat(200)).map(([text, n]) => text.slice(n % text.length)) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(spelling, fc.nat(200))
        .map(([text, n]) => `${text.slice(0, n % text.length)}#${text.slice((n % text.length) + 1)}`),
    },
    { weight: 2, arbitrary: fc.constantFrom('', ' ', '%', '\\', '&', '=', 'Bearer ', 'data: x\n\n', 'é漢🔑', MARKER) },
  )
  return fc
    .array(part, { maxLength: 8 })
    .map((parts) => ({ scrubber: createScrubber(secret, scheme), spellings, parts }))
})
const cuts = fc.array(fc.nat(2_000), { maxLength: 8 })

describe('a credential in all its spellings', () => {
  it('is taken out of text, however it is cut', () => {
    fc.assert(
      fc.property(cases, cuts, ({ scrubber, spellings, parts }, places) => {
        const text = parts.join('')
        const whole = scrubber.text(text)
        expect(whole).toEqual({
          text: scrubbedUntil(text.length, text, spellings),
          count: placesIn(text, spellings).length,
        })
        const stream = scrubber.textStream()
        expect(run(stream, cut(text, places))).toBe(whole.text)
        expect(stream.count).toBe(whole.count)
        expect(run(scrubber.textStream(), text.split(''))).toBe(whole.text)
      }),
      { numRuns: 400 },
    )
  }, 30_000)

  it('is taken out of bytes, however they are cut', () => {
    fc.assert(
      fc.property(cases, cuts, fc.uint8Array({ maxLength: 8 }), ({ scrubber, spellings, parts }, places, noise) => {
        const bytes = new Uint8Array(Buffer.concat([noise, ...parts.map(utf8), noise]))
        // Latin-1 gives every byte a character of its own.
        const needles = spellings.map((spelling) => Buffer.from(spelling).toString('latin1'))
        const text = Buffer.from(bytes).toString('latin1')
        const expected = scrubbedUntil(text.length, text, needles)
        const stream = scrubber.byteStream()
        expect(runBytes(stream, cut(bytes, places)).toString('latin1')).toBe(expected)
        expect(stream.count).toBe(placesIn(text, needles).length)
        // A credential of one letter could stand in a content type.
        const { answer, count } = scrubber.answer({ type: 'binary', bytes, contentType: '' })
        expect(answer.type === 'binary' && Buffer.from(answer.bytes).toString('latin1')).toBe(expected)
        expect(count).toBe(stream.count)
        expect(
          runBytes(
            scrubber.byteStream(),
            [...bytes].map((byte) => Uint8Array.of(byte)),
          ).toString('latin1'),
        ).toBe(expected)
      }),
      { numRuns: 300 },
    )
  }, 30_000)

  it('leaves no spelling in what goes out', () => {
    fc.assert(
      fc.property(cases, cuts, ({ scrubber, spellings, parts }, places) => {
        const out = run(scrubber.textStream(), cut(parts.join(''), places))
        // Markers that were there before count as text; a credential that is part of one is found in it.
        for (const between of out.split(MARKER))
          expect(spellings.filter((spelling) => between.includes(spelling))).toEqual([])
      }),
      { numRuns: 300 },
    )
  }, 30_000)
})

describe('an event does not wait for the next', () => {
  const scrubber = createScrubber('sk-live_51Hc0QkZx9RtYw7', { scheme: 'bearer' })

  it('goes out whole when it holds nothing, and when the credential ends it', () => {
    const stream = scrubber.textStream()
    expect(stream.push('data: {"delta":"hello"}\n\n')).toBe('data: {"delta":"hello"}\n\n')
    expect(stream.push('data: sk-live_51Hc0QkZx9RtYw7')).toBe(`data: ${MARKER}`)
    expect(stream.push('\n\n')).toBe('\n\n')
    expect(stream.push('data: sk-li')).toBe('data: ')
    expect(stream.push('on\n\n')).toBe('sk-lion\n\n')
    expect(stream.push('data: sk-li')).toBe('data: ')
    expect(stream.push('')).toBe('')
    expect(stream.end()).toBe('sk-li')
    expect(stream.count).toBe(1)
  })

  it('in bytes too', () => {
    const stream = scrubber.byteStream()
    const event = utf8('data: {"delta":"hé"}\n\n')
    expect(stream.push(event)).toBe(event)
    expect(stream.push(new Uint8Array())).toEqual(new Uint8Array())
    expect(stream.end()).toEqual(new Uint8Array())
  })

  it('without a credential all passes', () => {
    const stream = createScrubber(null, { scheme: 'bearer' }).textStream()
    expect([stream.push('a'), stream.end(), stream.count]).toEqual(['a', '', 0])
  })
})

describe('bounds', () => {
  it('the rest goes from the 10,000th place on, however the text is cut', () => {
    const text = 'ab'.repeat(20_000)
    const scrubber = createScrubber('a', { scheme: 'bearer' })
    const whole = scrubber.text(text)
    expect(whole.count).toBe(10_000)
    for (const size of [1, 7, 19_999, 20_000]) {
      const stream = scrubber.textStream()
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.slice(i * size, (i + 1) * size),
      )
      expect(run(stream, chunks) === whole.text).toBe(true)
      expect(stream.count).toBe(10_000)
    }
  })

  it('takes time linear in streams that are made against it', () => {
    // All but the last character of a credential that repeats itself, over and over, and a byte at a time.
    for (const secret of ['a'.repeat(8_191) + 'b', 'ab'.repeat(4_095) + 'aa', 'a'.repeat(8_192)]) {
      const scrubber = createScrubber(secret, { scheme: 'bearer' })
      const near = `${secret.slice(0, -1)}#`.repeat(40)
      expect(scrubber.text(near)).toEqual({ text: near, count: 0 })
      expect(run(scrubber.textStream(), near.split('')) === near).toBe(true)
      expect(run(scrubber.textStream(), ['a'.repeat(300_000), '#']).endsWith('#')).toBe(true)
    }
  }, 60_000)
})
