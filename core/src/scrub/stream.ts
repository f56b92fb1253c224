import { concatBytes, utf8 } from '../bytes.ts'
import { REDACTED_CREDENTIAL } from './redact.ts'
import type { Automaton } from './automaton.ts'
import type { Filter } from './filter.ts'

/** Scrubs text and bytes that come in pieces. */

/** Scrubs a stream. Its outputs, joined, equal the scrubbed whole. */
export interface StreamScrubber<T> {
  /** What can be released now: everything but a possible beginning of a spelling. May be empty. */
  push(chunk: T): T
  /** The rest. Nothing may be pushed afterwards. */
  end(): T
  /** Places replaced so far. */
  readonly count: number
}

/**
 * From this place on, a text is replaced whole: markers are longer than short credentials, so the output would grow
 * without bound.
 */
const PLACES_MAX = 10_000

/** What is scrubbed: a string of UTF-16 units, or bytes. */
export type Units = string | Uint8Array

/** What differs between strings and bytes. */
export interface Form<T> {
  marker: T
  unitAt(chunk: T, index: number): number
  slice(chunk: T, from: number, to: number): T
  /** Makes a copy to keep until the next push, if the caller may overwrite the chunk before that. */
  keep(part: T): T
  join(parts: T[]): T
}

export const TEXT: Form<string> = {
  marker: REDACTED_CREDENTIAL,
  unitAt: (chunk, index) => chunk.charCodeAt(index),
  slice: (chunk, from, to) => chunk.slice(from, to),
  keep: (part) => part,
  join: (parts) => parts.join(''),
}

/** Returns views of the pushed chunks. */
export const BYTES: Form<Uint8Array> = {
  marker: utf8(REDACTED_CREDENTIAL),
  unitAt: (chunk, index) => chunk[index]!,
  slice: (chunk, from, to) => (from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to)),
  // Not slice(): Buffer's slice() does not copy.
  keep: (part) => new Uint8Array(part),
  join: (parts) => (parts.length === 1 ? parts[0]! : concatBytes(...parts)),
}

/** The needles, prepared for searching. */
export interface Search<T> {
  filter: Filter<T>
  automaton(): Automaton
}

/** Offsets count from the beginning of the stream. */
interface Span {
  from: number
  to: number
}

export function streamScrubber<T extends Units>({ filter, automaton }: Search<T>, form: Form<T>): StreamScrubber<T> {
  const { step, ends, depths } = automaton()
  const held = holder(form)
  /** Places to replace, in order, neither overlapping nor touching. They may still grow to the left. */
  const spans: Span[] = []
  /** Where the last replaced span ends so far. A match that overlaps or touches it belongs to it. */
  let markedTo = -1
  let state = 0
  let read = 0
  let count = 0

  const found = (to: number, length: number): void => {
    let from = to - length
    if (from <= markedTo) {
      markedTo = to
      spans.length = 0
      return
    }
    for (let last = spans.at(-1); last && from <= last.to; last = spans.at(-1)) {
      from = Math.min(from, last.from)
      spans.pop()
    }
    spans.push({ from, to })
  }

  const search = (chunk: T): void => {
    for (let i = 0; i < chunk.length; i++) {
      // No needle has begun: skip to where one may.
      if (state === 0) i = filter.next(chunk, i)
      if (i === chunk.length) return
      state = step(state, form.unitAt(chunk, i))
      if (ends[state] !== 0) found(read + i + 1, ends[state]!)
    }
  }

  /** Releases what no later match can include: later matches begin at `limit` or after. */
  const give = (limit: number): T => {
    const parts: T[] = []
    let given = 0
    held.drop(markedTo)
    for (const span of spans) {
      if (span.from > limit || count === PLACES_MAX) break
      held.take(span.from, parts)
      parts.push(form.marker)
      markedTo = span.to
      held.drop(markedTo)
      count++
      given++
    }
    if (given > 0) spans.splice(0, given)
    if (count === PLACES_MAX) held.drop(read)
    else held.take(limit, parts)
    return form.join(parts)
  }

  return {
    push(chunk) {
      if (chunk.length === 0 || count === PLACES_MAX) return form.join([])
      held.add(chunk)
      search(chunk)
      read += chunk.length
      const out = give(read - depths[state]!)
      held.keep()
      return out
    },
    end: () => give(read),
    get count() {
      return count
    },
  }
}

/** The chunks that are not yet released. Each is visited once, however many there are. */
function holder<T extends Units>(form: Form<T>) {
  let chunks: T[] = []
  let head = 0
  /** Offsets of the first chunk, of the first unit held, and of the end. */
  let start = 0
  let from = 0
  let end = 0

  const advance = (to: number, parts: T[] | null): void => {
    while (from < to && from < end) {
      const chunk = chunks[head]!
      const until = Math.min(to, start + chunk.length)
      parts?.push(form.slice(chunk, from - start, until - start))
      from = until
      if (until < start + chunk.length) return
      start = until
      head++
    }
  }

  return {
    add(chunk: T): void {
      chunks.push(chunk)
      end += chunk.length
    },
    take(to: number, parts: T[]): void {
      advance(to, parts)
    },
    drop(to: number): void {
      advance(to, null)
    },
    /** Copies what is left of the last chunk. */
    keep(): void {
      if (from === end) {
        chunks = []
        head = 0
      } else if (head > chunks.length / 2) {
        chunks = chunks.slice(head)
        head = 0
      }
      const last = chunks.length - 1
      if (last < head) return
      const chunk = chunks[last]!
      if (last > head) {
        chunks[last] = form.keep(chunk)
      } else {
        chunks[last] = form.keep(form.slice(chunk, from - start, chunk.length))
        start = from
      }
    },
  }
}
