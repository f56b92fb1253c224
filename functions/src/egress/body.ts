import { pipeline, Readable, type Transform } from 'node:stream'
import zlib from 'node:zlib'
import type { ErrorCode } from '@vitrine/core/errors'
import { RESPONSE_BYTES_DEFAULT } from '@vitrine/core/limits'
import type { Endpoint } from '@vitrine/core/tool'
import { inTurns } from './turns.ts'

/** Reading what an upstream sends, chunk by chunk, with a bound on what that costs. */

/** Thrown by what reads a body; the network's own errors pass through as they are. */
export interface BodyError extends Error {
  bodyCode: Extract<ErrorCode, 'upstream_too_large' | 'upstream_invalid' | 'upstream_interrupted' | 'internal'>
}

/**
 * Bytes on the wire for each byte that an answer may have. Compression made for single small events costs several times what it saves;
 * what costs more sends bytes that decode to nothing, and would go on until the deadline.
 */
const ENCODED_FACTOR_MAX = 8
const ENCODED_BYTES_FREE = 64 * 1024

const LF = 0x0a
const CR = 0x0d

/** Decoded at a time: for each piece a thread is woken, which costs more than to decode the 16 KiB that zlib makes by default. */
const chunkSize = 64 * 1024

const gunzip = (): Transform => zlib.createGunzip({ chunkSize })
/** The codings that requests offer (`accept-encoding`). */
const DECODERS: Record<string, () => Transform> = {
  gzip: gunzip,
  'x-gzip': gunzip,
  br: () => zlib.createBrotliDecompress({ chunkSize }),
}

/** Bytes that an answer may have after decoding. Registrations of before the bound was theirs have none. */
export function bytesMaxOf({ responseBytesMax }: Partial<Pick<Endpoint, 'responseBytesMax'>>): number {
  return responseBytesMax ?? RESPONSE_BYTES_DEFAULT
}

/**
 * The bytes of a body as they come, its Content-Encoding undone. One coding at most: nested ones multiply, and no honest server sends
 * them. Nothing is read before it is asked for, and whoever stops asking ends the body and its decoder.
 *
 * Throws a BodyError: upstream_invalid for more codings, an unknown one, or bytes that are not what it says; upstream_interrupted when
 * they end too early; upstream_too_large beyond `bytesMax`, having made no more than a chunk more. Throws the body's own error when that breaks.
 */
export async function* decoded(
  body: Readable,
  contentEncoding: string,
  bytesMax: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  // Ignore late errors once nobody reads.
  body.on('error', () => undefined)
  try {
    const decoder = decoderOf(contentEncoding)
    yield* counted(decoder === null ? body : undone(body, decoder, bytesMax), bytesMax)
  } finally {
    body.destroy()
  }
}

/** All bytes of `chunks`. In one growing buffer: a body in chunks of one byte would cost a hundred times its size if they were kept. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const bytes = byteCollector()
  for await (const chunk of chunks) bytes.push(chunk)
  return bytes.take()
}

export interface ByteCollector {
  push(chunk: Uint8Array): void
  /** What was pushed since it was last taken. */
  take(): Uint8Array
}

export function byteCollector(): ByteCollector {
  let buffer = Buffer.allocUnsafeSlow(0)
  let length = 0
  return {
    push(chunk) {
      if (length + chunk.length > buffer.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(2 * buffer.length, length + chunk.length))
        buffer.copy(larger, 0, 0, length)
        buffer = larger
      }
      buffer.set(chunk, length)
      length += chunk.length
    },
    take() {
      const taken = buffer.subarray(0, length)
      buffer = Buffer.allocUnsafeSlow(0)
      length = 0
      return taken
    },
  }
}

/**
 * The same bytes in chunks that have a line break in them, but for the last. Parsers of event streams keep each chunk of an unfinished
 * line by itself, which costs many times their size when they are small.
 */
export async function* withLineBreaks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const held = byteCollector()
  for await (const chunk of chunks) {
    held.push(chunk)
    if (chunk.includes(0x0a) || chunk.includes(0x0d)) yield held.take()
  }
  const rest = held.take()
  if (rest.length > 0) yield rest
}

/**
 * The bytes of an event stream in chunks that end where an event does, but for the last (HTML Living Standard, section 9.2: an empty line,
 * each line ended by LF, CR or both). Each has a buffer of its own.
 */
export async function* wholeEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const held = byteCollector()
  const endOf = eventEnds()
  for await (const chunk of chunks) {
    const end = endOf(chunk)
    held.push(chunk.subarray(0, end))
    if (end > 0) yield held.take()
    held.push(chunk.subarray(end))
  }
  const rest = held.take()
  if (rest.length > 0) yield rest
}

/** Tells of chunk after chunk where the last event in it ends: the index behind it, or 0. */
function eventEnds(): (chunk: Uint8Array) => number {
  let before = LF
  let isEmptyLine = true
  /** Whether `before` ended an event. */
  let isEnd = false
  return (chunk) => {
    let end = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (byte !== LF && byte !== CR) {
        isEmptyLine = isEnd = false
      } else if (byte === CR || before !== CR) {
        isEnd = isEmptyLine
        isEmptyLine = true
      }
      if (isEnd) end = i + 1
      before = byte
    }
    return end
  }
}

/** null where there is nothing to undo. */
function decoderOf(contentEncoding: string): (() => Transform) | null {
  const codings = contentEncoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity')
  const [coding, another] = codings
  if (coding === undefined) return null
  const decoder = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined
  if (decoder === undefined || another !== undefined) throw bodyError('upstream_invalid')
  return decoder
}

async function* undone(
  body: Readable,
  makeDecoder: () => Transform,
  bytesMax: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const encoded = counted(body, bytesMax * ENCODED_FACTOR_MAX + ENCODED_BYTES_FREE)
  const { value: first } = await encoded.next()
  if (!first) return
  // What went wrong while reading, as opposed to decoding.
  const broken: unknown[] = []
  const decoder = makeDecoder()
  const source = async function* () {
    try {
      for (let chunk: Uint8Array | void = first; chunk; chunk = (await encoded.next()).value) yield chunk
    } catch (error) {
      broken.push(error)
      throw error
    }
  }
  // Whoever reads the decoder hears of errors.
  pipeline(Readable.from(source()), decoder, () => undefined)
  try {
    yield* inTurns(decoder as AsyncIterable<Uint8Array>, ({ length }) => length)
  } catch (error) {
    if (broken.length > 0) throw broken[0]
    throw bodyError(
      (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR' ? 'upstream_interrupted' : 'upstream_invalid',
    )
  } finally {
    decoder.destroy()
  }
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue
    size += chunk.length
    if (size > bytesMax) throw bodyError('upstream_too_large')
    yield chunk
  }
}

export function bodyError(bodyCode: BodyError['bodyCode']): BodyError {
  return Object.assign(new Error(bodyCode), { bodyCode })
}

export function bodyCodeOf(error: unknown): BodyError['bodyCode'] | null {
  return error instanceof Error && 'bodyCode' in error ? (error as BodyError).bodyCode : null
}
