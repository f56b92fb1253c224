import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { zstdFrames } from './body-zstd.ts'

const { ZSTD_c_checksumFlag, ZSTD_c_contentSizeFlag } = zlib.constants
const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i * 31 + (i >> 3)) % 251))
// RFC 8878 section 3.1.2.
const skippable = Buffer.from('5e2a4d1803000000aabbcc', 'hex')

const bodies: [string, Buffer][] = [
  ['nothing', zlib.zstdCompressSync(Buffer.alloc(0))],
  ['a few bytes', zlib.zstdCompressSync(Buffer.from('abc'))],
  ['300 bytes, whose length takes two', zlib.zstdCompressSync(noise.subarray(0, 300))],
  ['many blocks', zlib.zstdCompressSync(noise)],
  ['blocks of one byte repeated', zlib.zstdCompressSync(Buffer.alloc(1_000_000))],
  ['a checksum', zlib.zstdCompressSync(noise.subarray(0, 1000), { params: { [ZSTD_c_checksumFlag]: 1 } })],
  ['no length', zlib.zstdCompressSync(noise.subarray(0, 1000), { params: { [ZSTD_c_contentSizeFlag]: 0 } })],
  [
    'two frames with one between that is skipped',
    Buffer.concat([zlib.zstdCompressSync(Buffer.from('abc')), skippable, zlib.zstdCompressSync(noise)]),
  ],
]

function isWhole(bytes: Uint8Array, chunkBytes: number): boolean {
  const frames = zstdFrames()
  for (let at = 0; at < bytes.length; at += chunkBytes) frames.push(bytes.subarray(at, at + chunkBytes))
  return frames.complete
}

describe.each(bodies)('%s', (_what, bytes) => {
  it('is whole, in chunks of any size', () => {
    for (const size of [1, 2, 3, 7, 1000, bytes.length]) expect(isWhole(bytes, size)).toBe(true)
  })

  it('is not without its last bytes', () => {
    for (let cut = 1; cut < Math.min(bytes.length, 12); cut++) expect(isWhole(bytes.subarray(0, -cut), 5)).toBe(false)
  })
})
