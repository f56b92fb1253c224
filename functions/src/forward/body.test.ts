import { Readable } from 'node:stream'
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decode, readAll } from './body.ts'

const TEXT = Buffer.from('{"text":"né"}'.repeat(20))
const BOUND = 1000

async function codeOf(bytes: Uint8Array, encoding: string): Promise<string> {
  const result = await decode(bytes, encoding, BOUND)
  return result.ok ? Buffer.from(result.value).toString('latin1') : result.error.code
}

describe('decode', () => {
  it.each<[string, Buffer]>([
    ['', TEXT],
    ['identity', TEXT],
    ['gzip', zlib.gzipSync(TEXT)],
    ['GZIP', zlib.gzipSync(TEXT)],
    ['x-gzip', zlib.gzipSync(TEXT)],
    ['identity, gzip', zlib.gzipSync(TEXT)],
    [' gzip ,', zlib.gzipSync(TEXT)],
    ['deflate', zlib.deflateSync(TEXT)],
    ['deflate', zlib.deflateRawSync(TEXT)],
    ['br', zlib.brotliCompressSync(TEXT)],
    ['zstd', zlib.zstdCompressSync(TEXT)],
  ])('undoes %j', async (encoding, bytes) => expect(await decode(bytes, encoding, BOUND)).toEqual({ ok: true, value: TEXT }))

  it('makes nothing of an empty body', async () => {
    expect(await decode(new Uint8Array(), 'gzip', BOUND)).toEqual({ ok: true, value: new Uint8Array() })
  })

  it.each(['gzip, gzip', 'gzip, br', 'gzip,identity,gzip', 'compress', 'aws-chunked', '__proto__', 'constructor', 'gzip;q=1'])('refuses %j', async (encoding) => {
    expect(await codeOf(zlib.gzipSync(TEXT), encoding)).toBe('upstream_invalid')
  })

  it('undoes one layer only', async () => {
    const inner = zlib.gzipSync(TEXT)
    expect(await decode(zlib.gzipSync(inner), 'gzip', BOUND)).toEqual({ ok: true, value: inner })
  })

  it.each<[string, (bytes: Uint8Array) => Buffer]>([
    ['gzip', zlib.gzipSync], ['deflate', zlib.deflateSync], ['deflate', zlib.deflateRawSync], ['br', zlib.brotliCompressSync], ['zstd', zlib.zstdCompressSync],
  ])('counts after %s', async (encoding, compress) => {
    expect((await codeOf(compress(Buffer.alloc(BOUND)), encoding)).length).toBe(BOUND)
    expect(await codeOf(compress(Buffer.alloc(BOUND + 1)), encoding)).toBe('upstream_too_large')
    expect(await codeOf(compress(Buffer.alloc(5_000_000)), encoding)).toBe('upstream_too_large')
  })

  it('refuses what is not what it says, or ends too early', async () => {
    for (const encoding of ['gzip', 'deflate', 'br', 'zstd']) expect(await codeOf(Buffer.from('not compressed at all'), encoding)).toMatch(/^upstream_(invalid|interrupted)$/)
    for (const [encoding, bytes] of [['gzip', zlib.gzipSync(TEXT)], ['deflate', zlib.deflateSync(TEXT)], ['br', zlib.brotliCompressSync(TEXT)]] as const) {
      expect(await codeOf(bytes.subarray(0, bytes.length - 5), encoding)).toBe('upstream_interrupted')
    }
  })

  it('refuses zstd that wants a window larger than HTTP allows', async () => {
    const params = { [zlib.constants.ZSTD_c_windowLog]: 27 }
    const chunks: Buffer[] = []
    const stream = zlib.createZstdCompress({ params })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.end(TEXT)
    await new Promise((resolve) => stream.on('end', resolve))
    expect(await codeOf(Buffer.concat(chunks), 'zstd')).toBe('upstream_invalid')
  })
})

describe('readAll', () => {
  it('gives all bytes up to the bound', async () => {
    expect(await readAll(Readable.from([Buffer.from('ab'), Buffer.from('c')]), 3)).toEqual({ ok: true, value: Buffer.from('abc') })
    expect(await readAll(Readable.from([]), 3)).toEqual({ ok: true, value: Buffer.alloc(0) })
  })

  it('stops and destroys the stream beyond it', async () => {
    let made = 0
    const endless = new Readable({ read() { made++; this.push(Buffer.alloc(10)) } })
    expect(await readAll(endless, 25)).toMatchObject({ ok: false, error: { code: 'upstream_too_large' } })
    expect(endless.destroyed).toBe(true)
    const then = made
    await new Promise((resolve) => setImmediate(resolve))
    expect(made).toBe(then)
  })

  it('rejects with the error of the stream', async () => {
    const broken = new Readable({ read() { this.destroy(new Error('torn')) } })
    await expect(readAll(broken, 10)).rejects.toThrow('torn')
  })
})
