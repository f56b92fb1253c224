import { Readable } from 'node:stream'
import zlib from 'node:zlib'

/** Decoded size of a bomb. */
export const BOMB_BYTES = 200 * 1024 * 1024

let made: Promise<Record<string, Buffer>> | undefined

/**
 * Small bodies that decode to 200 MiB of zeros, by coding. `gzip-gzip` has about 498 bytes, which decode to 200 KB and
 * then to 200 MiB.
 */
export function makeBombs(): Promise<Record<string, Buffer>> {
  made ??= make()
  return made
}

async function make(): Promise<Record<string, Buffer>> {
  const gzip = await compressed(zlib.createGzip({ level: 9 }))
  return {
    gzip,
    'gzip-gzip': zlib.gzipSync(gzip, { level: 9 }),
    br: await compressed(zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })),
  }
}

async function compressed(coder: zlib.Gzip | zlib.BrotliCompress): Promise<Buffer> {
  const block = Buffer.alloc(1024 * 1024)
  const zeros = Readable.from(Array.from({ length: BOMB_BYTES / block.length }, () => block))
  const parts: Buffer[] = []
  for await (const part of zeros.pipe(coder)) parts.push(part as Buffer)
  return Buffer.concat(parts)
}
