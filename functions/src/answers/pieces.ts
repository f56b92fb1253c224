import { createParser } from 'eventsource-parser'
import { concatBytes } from '@vitrine/core/bytes'
import type { Piece } from '@vitrine/core/tool'
import { base64Of, decoderFor, mayBecomeMark } from './answer.ts'
import { kindOf, type MediaType } from './media-type.ts'
import { withLineBreaks } from '../egress/body.ts'

/**
 * Splits a body into pieces as it arrives, by its type: event streams by event, text and JSON as text, anything
 * else as bytes. Only incomplete parts are held back: a character, an event, the first bytes of a possible byte order
 * mark.
 */
export function toPieces(type: MediaType, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Piece, void, undefined> {
  switch (kindOf(type)) {
    case 'events':
      return events(chunks)
    case 'json':
    case 'text':
      return texts(type, chunks)
    case 'binary':
      return binaries(chunks)
  }
}

/** HTML Living Standard, section 9.2: always UTF-8; an event that no empty line ends is dropped. */
async function* events(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Piece, void, undefined> {
  const ready: Piece[] = []
  // Its buffer is bounded by the limit on the body's bytes.
  const parser = createParser({
    onEvent: ({ event, id, data }) =>
      ready.push({ type: 'event', ...(event !== undefined && { event }), ...(id !== undefined && { id }), data }),
  })
  const decoder = new TextDecoder()
  for await (const chunk of withLineBreaks(chunks)) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    yield* ready.splice(0)
  }
}

async function* texts(type: MediaType, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Piece, void, undefined> {
  let decoder: TextDecoder | undefined
  let beginning: Uint8Array = new Uint8Array()
  for await (const chunk of chunks) {
    beginning = decoder ? chunk : concatBytes(beginning, chunk)
    if (!decoder && mayBecomeMark(beginning)) continue
    decoder ??= decoderFor(type, beginning)
    const text = decoder.decode(beginning, { stream: true })
    if (text !== '') yield { type: 'text', text }
  }
  const rest = decoder ? decoder.decode() : decoderFor(type, beginning).decode(beginning)
  if (rest !== '') yield { type: 'text', text: rest }
}

async function* binaries(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Piece, void, undefined> {
  for await (const chunk of chunks) yield { type: 'binary', base64: base64Of(chunk) }
}
