import { pipeline, Readable, type Transform } from 'node:stream'
import zlib from 'node:zlib'
import { concatBytes } from '@vitrine/core/bytes'
import type { ErrorCode } from '@vitrine/core/errors'
import { RESPONSE_BYTES_DEFAULT } from '@vitrine/core/limits'
import type { Endpoint } from '@vitrine/core/tool'
import { isText } from '../lib/is-text.ts'
import { inTurns } from './turns.ts'

/** Reads what an upstream sends, chunk by chunk, within a bound on the cost. */

/** Thrown by the functions that read a body; the network's own errors pass through unchanged. */
export interface BodyError extends Error {
  bodyCode: Extract<ErrorCode, 'upstream_too_large' | 'upstream_invalid' | 'upstream_interrupted' | 'internal'>
}

/**
 * Bytes on the wire allowed per decoded byte. Compressing many small events costs several times what it saves; anything
 * beyond that sends bytes that decode to nothing and would go on until the deadline.
 */
const ENCODED_FACTOR_MAX = 8
const ENCODED_BYTES_FREE = 64 * 1024

const LF = 0x0a
const CR = 0x0d

/** Bytes decoded at a time. Each piece wakes a thread, which costs more than decoding zlib's default of 16 KiB. */
const chunkSize = 64 * 1024

/** A content coding (RFC 9110 section 8.4.1). */
interface Coding {
  /** What undoes it in a body that begins with this byte. */
  decoder: (first: number) => Transform
  /** What everything that has it begins with, where there is such a mark. */
  mark?: Uint8Array
}

const gzip: Coding = { decoder: () => zlib.createGunzip({ chunkSize }), mark: Uint8Array.of(0x1f, 0x8b) }
/**
 * The codings that are undone. Any other name (`identity`, `none`, `UTF-8`, `aws-chunked`) is that of something else than a compression:
 * the body is as it is.
 */
const CODINGS = new Map<string, Coding>([
  ['gzip', gzip],
  ['x-gzip', gzip],
  ['br', { decoder: () => zlib.createBrotliDecompress({ chunkSize }) }],
  // "deflate" means zlib's format (RFC 1950), whose first byte names method 8; some servers leave out its frame.
  [
    'deflate',
    { decoder: (first) => ((first & 0x0f) === 8 ? zlib.createInflate : zlib.createInflateRaw)({ chunkSize }) },
  ],
  // Node does not notice a frame that ends early. Where a body ends is known from HTTP as well.
  ['zstd', { decoder: () => zlib.createZstdDecompress({ chunkSize }), mark: Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd) }],
])
/** Each multiplies what a body may cost. Honest servers apply one; a proxy before them may add another. */
const CODINGS_MAX = 3
/** How much of a body shows whether it has a coding without a mark: of compressed bytes less than half could be text. */
const BEGINNING_BYTES = 32

/** Bytes that an answer may have after decoding. Registrations older than this field have none. */
export function bytesMaxOf({ responseBytesMax }: Partial<Pick<Endpoint, 'responseBytesMax'>>): number {
  return responseBytesMax ?? RESPONSE_BYTES_DEFAULT
}

/**
 * The bytes of a body as they arrive, with its Content-Encoding undone. A body that plainly does not have the coding it is said to have
 * comes as it is. Reads only on demand; a reader that stops ends the body and its decoders.
 *
 * Throws a BodyError: upstream_invalid for more than CODINGS_MAX codings, or bytes that do not match theirs; upstream_interrupted if
 * they end too early; upstream_too_large beyond `bytesMax`, at most one chunk late. Throws the body's own error if the body breaks.
 */
export async function* decoded(
  body: Readable,
  contentEncoding: string,
  bytesMax: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  // Ignore late errors once nobody reads.
  body.on('error', () => undefined)
  try {
    const codings = codingsOf(contentEncoding)
    if (codings.length > CODINGS_MAX) throw bodyError('upstream_invalid')
    // They are listed in the order in which they were applied.
    const plain = codings.reduceRight<AsyncIterable<Uint8Array>>(
      (chunks, coding) => undone(chunks, coding, bytesMax),
      body,
    )
    yield* counted(plain, bytesMax)
  } finally {
    body.destroy()
  }
}

/** Joins all chunks in one growing buffer: keeping one-byte chunks would take a hundred times the body's size. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const bytes = byteCollector()
  for await (const chunk of chunks) bytes.push(chunk)
  return bytes.take()
}

export interface ByteCollector {
  push(chunk: Uint8Array): void
  /** The bytes pushed since the last take. */
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
 * Regroups the bytes so that every chunk but the last contains a line break. Event-stream parsers keep each chunk of an
 * unfinished line, which takes many times the size of small chunks.
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
 * Regroups the bytes of an event stream so that every chunk but the last ends with an event (HTML Living Standard,
 * section 9.2: an empty line; lines end with LF, CR or both). Each chunk has its own buffer.
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

/**
 * The same lines, with an LF behind each CR that ends a chunk: a reader waits for what follows a CR, and behind the last event there may be
 * nothing more.
 */
export async function* withLineEnds(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let isOver = false
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue
    const rest = isOver && chunk[0] === LF ? chunk.subarray(1) : chunk
    isOver = chunk.at(-1) === CR
    yield isOver ? Buffer.concat([rest, Uint8Array.of(LF)]) : rest
  }
}

/** For each chunk, the index after the end of its last event, or 0. */
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

function codingsOf(contentEncoding: string): Coding[] {
  return contentEncoding
    .toLowerCase()
    .split(',')
    .flatMap((coding) => CODINGS.get(coding.replace(/;.*/s, '').replaceAll('"', '').trim()) ?? [])
}

async function* undone(
  body: AsyncIterable<Uint8Array>,
  coding: Coding,
  bytesMax: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const encoded = counted(body, bytesMax * ENCODED_FACTOR_MAX + ENCODED_BYTES_FREE)
  let beginning: Uint8Array = new Uint8Array()
  do {
    const { value: chunk } = await encoded.next()
    if (!chunk) break
    beginning = concatBytes(beginning, chunk)
  } while (beginning.length < BEGINNING_BYTES && isPlain(beginning, coding))
  if (beginning.length === 0) return
  if (isPlain(beginning, coding)) {
    yield beginning
    yield* encoded
    return
  }
  // Errors from reading, as opposed to decoding.
  const broken: unknown[] = []
  const decoder = coding.decoder(beginning[0]!)
  const source = async function* () {
    try {
      for (let chunk: Uint8Array | void = beginning; chunk; chunk = (await encoded.next()).value) yield chunk
    } catch (error) {
      broken.push(error)
      throw error
    }
  }
  // The decoder passes errors on to its reader.
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

/** Whether a body that begins so never had the coding: it lacks the mark, or is text, which compressed bytes never are for long. */
function isPlain(beginning: Uint8Array, { mark }: Coding): boolean {
  return mark ? beginning.some((byte, i) => i < mark.length && byte !== mark[i]) : isText(beginning)
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
