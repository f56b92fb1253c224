import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { fail, ok, type Result } from '@vitrine/core/result'

/** Reading what an upstream sends, with a bound on what that costs. */

type Decoder = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>

const inflate: Decoder = promisify<Uint8Array, zlib.ZlibOptions, Uint8Array>(zlib.inflate)
const inflateRaw: Decoder = promisify<Uint8Array, zlib.ZlibOptions, Uint8Array>(zlib.inflateRaw)
const gunzip: Decoder = promisify<Uint8Array, zlib.ZlibOptions, Uint8Array>(zlib.gunzip)
const brotli: Decoder = promisify<Uint8Array, zlib.BrotliOptions, Uint8Array>(zlib.brotliDecompress)
const zstd = promisify<Uint8Array, zlib.ZstdOptions, Uint8Array>(zlib.zstdDecompress)

/** RFC 9659: a zstd content coding may ask for a window of 8 MiB at most. */
const ZSTD_WINDOW_LOG_MAX = 23

const DECODERS: Record<string, Decoder> = {
  gzip: gunzip,
  'x-gzip': gunzip,
  // RFC 9110 section 8.4.1.2 says zlib; some servers send bare deflate. CM = 8 in the first byte tells them apart.
  deflate: (bytes, options) => ((bytes[0] ?? 0) % 16 === 8 ? inflate : inflateRaw)(bytes, options),
  br: brotli,
  zstd: (bytes, options) => zstd(bytes, { ...options, params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } }),
}

/**
 * All bytes of a stream. Errors: upstream_too_large beyond `bytesMax`; then the stream is destroyed.
 * Rejects with the stream's own error when it breaks.
 */
export function readAll(stream: Readable, bytesMax: number): Promise<Result<Uint8Array>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    stream.on('error', reject)
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= bytesMax) {
        chunks.push(chunk)
      } else {
        resolve(fail('upstream_too_large'))
        stream.destroy()
      }
    })
    stream.on('end', () => {
      resolve(ok(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)))
    })
  })
}

/**
 * Undoes a Content-Encoding. One coding at most: nested ones multiply, and no honest server sends them.
 * Errors: upstream_invalid for more codings, an unknown one, or bytes that are not what it says; upstream_interrupted when they end
 * too early; upstream_too_large when the result would pass `bytesMax`, having made no more than that.
 */
export async function decode(bytes: Uint8Array, contentEncoding: string, bytesMax: number): Promise<Result<Uint8Array>> {
  const codings = contentEncoding.toLowerCase().split(',').map((coding) => coding.trim()).filter((coding) => coding !== '' && coding !== 'identity')
  const [coding, another] = codings
  if (coding === undefined || bytes.length === 0) return ok(bytes)
  const decoder = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined
  if (decoder === undefined || another !== undefined) return fail('upstream_invalid')
  try {
    return ok(await decoder(bytes, { maxOutputLength: bytesMax }))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ERR_BUFFER_TOO_LARGE') return fail('upstream_too_large')
    return fail(code === 'Z_BUF_ERROR' ? 'upstream_interrupted' : 'upstream_invalid')
  }
}
