import { Readable } from 'node:stream'
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  bodyCodeOf,
  byteCollector,
  bytesMaxOf,
  collect,
  decoded,
  wholeEvents,
  withLineBreaks,
  withLineEnds,
} from './body.ts'

const TEXT = Buffer.from('{"text":"né"}'.repeat(20))
const BOUND = 1000

const bodyOf = (...chunks: Uint8Array[]) => Readable.from(chunks, { objectMode: false })

/** The decoded text, or the code of the error. */
function decode(bytes: Uint8Array, encoding: string, bytesMax = BOUND): Promise<string> {
  return collect(decoded(bodyOf(bytes), encoding, bytesMax)).then(
    (all) => Buffer.from(all).toString('latin1'),
    (error) => bodyCodeOf(error) ?? String(error),
  )
}

describe('decoded', () => {
  it.each<[string, Buffer]>([
    ['', TEXT],
    ['identity', TEXT],
    ['gzip', zlib.gzipSync(TEXT)],
    ['GZIP', zlib.gzipSync(TEXT)],
    ['x-gzip', zlib.gzipSync(TEXT)],
    ['identity, gzip', zlib.gzipSync(TEXT)],
    [' gzip ,', zlib.gzipSync(TEXT)],
    ['gzip', Buffer.concat([zlib.gzipSync(TEXT.subarray(0, 7)), zlib.gzipSync(TEXT.subarray(7))])],
    ['br', zlib.brotliCompressSync(TEXT)],
    ['deflate', zlib.deflateSync(TEXT)],
    ['deflate', zlib.deflateSync(TEXT, { level: 1 })],
    ['deflate', zlib.deflateRawSync(TEXT)],
    ['deflate', zlib.deflateRawSync(TEXT, { level: 0 })],
    ['zstd', zlib.zstdCompressSync(TEXT)],
    ['"gzip"', zlib.gzipSync(TEXT)],
    ['gzip;q=1', zlib.gzipSync(TEXT)],
    ['gzip, br', zlib.brotliCompressSync(zlib.gzipSync(TEXT))],
    ['deflate,zstd, gzip', zlib.gzipSync(zlib.zstdCompressSync(zlib.deflateSync(TEXT)))],
    ['aws-chunked,gzip', zlib.gzipSync(TEXT)],
    ['gzip, utf-8', zlib.gzipSync(TEXT)],
    ['gzip, gzip', zlib.gzipSync(TEXT)],
    ['gzip, gzip', zlib.gzipSync(zlib.gzipSync(TEXT))],
  ])('undoes %j, whole and byte by byte', async (encoding, bytes) => {
    expect(await decode(bytes, encoding)).toBe(TEXT.toString('latin1'))
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte))
    expect(Buffer.from(await collect(decoded(bodyOf(...single), encoding, BOUND)))).toEqual(TEXT)
  })

  it.each([
    'UTF-8',
    'utf8',
    'none',
    'None',
    'aws-chunked',
    'binary',
    'base64',
    '8bit',
    'identity, none',
    ',',
    '*',
    'application/json',
    '__proto__',
    'constructor',
  ])('takes %j for no coding', async (encoding) => {
    for (const bytes of [TEXT, Buffer.from([0, 0xff, 0x1f, 0x8b])])
      expect(await decode(bytes, encoding)).toBe(bytes.toString('latin1'))
  })

  const JSON_TEXT = Buffer.from('{"paid":true,"to":"né"}')
  it.each<[string, Buffer]>([
    ...['gzip', 'x-gzip', 'br', 'deflate', 'zstd', 'gzip, br', 'br, gzip'].flatMap((encoding): [string, Buffer][] => [
      [encoding, JSON_TEXT],
      [encoding, Buffer.from('x')],
      [encoding, Buffer.from('not compressed at all')],
      [encoding, Buffer.from('<p>é</p>'.repeat(100))],
    ]),
    ['gzip', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff])],
    ['zstd', Buffer.from([0, 1, 2, 3])],
  ])('takes a body as it is that is said to be %s and plainly is not', async (encoding, bytes) => {
    expect(await decode(bytes, encoding)).toBe(bytes.toString('latin1'))
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte))
    expect(Buffer.from(await collect(decoded(bodyOf(...single), encoding, BOUND)))).toEqual(bytes)
  })

  it('takes a large one so, to its last byte and no further than the bound', async () => {
    const chunks = Array.from({ length: 100 }, (_, i) => Buffer.alloc(10_000, 97 + (i % 26)))
    const whole = Buffer.from(await collect(decoded(bodyOf(...chunks), 'gzip', 1_000_000)))
    expect(whole.equals(Buffer.concat(chunks))).toBe(true)
    await expect(collect(decoded(bodyOf(...chunks), 'gzip', 999_999))).rejects.toMatchObject({
      bodyCode: 'upstream_too_large',
    })
  })

  it.each(['gzip', 'br', ''])('makes nothing of an empty body (%j)', async (encoding) =>
    expect(await decode(new Uint8Array(), encoding)).toBe(''),
  )

  it('refuses more codings than anybody needs', async () => {
    expect(await decode(TEXT, 'gzip,gzip,gzip,gzip')).toBe('upstream_invalid')
  })

  it('undoes one layer only', async () => {
    const inner = zlib.gzipSync(TEXT)
    expect(await decode(zlib.gzipSync(inner), 'gzip')).toBe(inner.toString('latin1'))
  })

  it.each<[string, (bytes: Uint8Array) => Buffer]>([
    ['', Buffer.from],
    ['gzip', zlib.gzipSync],
    ['br', zlib.brotliCompressSync],
    ['deflate', zlib.deflateSync],
    ['zstd', zlib.zstdCompressSync],
    ['gzip, gzip', (bytes) => zlib.gzipSync(zlib.gzipSync(bytes))],
  ])('counts after %j', async (encoding, compress) => {
    expect((await decode(compress(Buffer.alloc(BOUND)), encoding)).length).toBe(BOUND)
    expect(await decode(compress(Buffer.alloc(BOUND + 1)), encoding)).toBe('upstream_too_large')
    expect(await decode(compress(Buffer.alloc(5_000_000)), encoding)).toBe('upstream_too_large')
  })

  it.each<[string, (bytes: Uint8Array) => Buffer]>([
    ['gzip', zlib.gzipSync],
    ['br', zlib.brotliCompressSync],
    ['deflate', zlib.deflateSync],
  ])('refuses %s that ends too early, wherever that is', async (encoding, compress) => {
    const bytes = compress(TEXT)
    for (let length = 2; length < bytes.length; length++)
      expect([length, await decode(bytes.subarray(0, length), encoding)]).toEqual([length, 'upstream_interrupted'])
  })

  it.each<[string, Buffer]>([
    ['gzip', zlib.gzipSync(TEXT)],
    ['deflate', zlib.deflateSync(TEXT)],
    ['deflate', zlib.deflateRawSync(TEXT).fill(0xff)],
    ['zstd', zlib.zstdCompressSync(TEXT).fill(0xff, 5)],
    ['br', zlib.brotliCompressSync(TEXT).fill(0xff)],
  ])('refuses %s that is damaged', async (encoding, bytes) => {
    // The last bytes are checksums, where there are any.
    bytes.fill(0xff, bytes.length - 4)
    expect(await decode(bytes, encoding)).toBe('upstream_invalid')
  })

  it('gives up on a bomb within a bomb', async () => {
    // 40 KB, 4 MB, 4 GB.
    const bomb = zlib.gzipSync(Buffer.concat(Array<Buffer>(1000).fill(zlib.gzipSync(Buffer.alloc(4_000_000)))))
    expect(await decode(bomb, 'gzip, gzip')).toBe('upstream_too_large')
  })

  it('gives up on bytes without end that decode to nothing', async () => {
    // A gzip header (RFC 1952 section 2.3) and an empty stored block (RFC 1951 section 3.2.4), over and over.
    const nothing = Buffer.from('000000ffff'.repeat(10_000), 'hex')
    let made = 0
    const endless = new Readable({
      read() {
        this.push(made++ === 0 ? Buffer.from('1f8b0800000000000003', 'hex') : nothing)
      },
    })
    await expect(collect(decoded(endless, 'gzip', BOUND))).rejects.toMatchObject({ bodyCode: 'upstream_too_large' })
    expect(endless.destroyed).toBe(true)
    expect(made).toBeLessThan(10)
  })

  it.each<[string, zlib.Gzip | zlib.BrotliCompress]>([
    ['gzip', zlib.createGzip()],
    ['br', zlib.createBrotliCompress()],
  ])('gives what has been flushed before more comes (%s)', async (encoding, compress) => {
    const body = new Readable({ read: () => undefined })
    compress.on('data', (chunk) => body.push(chunk))
    const chunks = decoded(body, encoding, BOUND)
    for (const text of ['first', 'second']) {
      compress.write(text)
      compress.flush()
      expect(Buffer.from((await chunks.next()).value!).toString()).toBe(text)
    }
    await chunks.return()
    expect(body.destroyed).toBe(true)
  })

  it('reads no further than it is asked to', async () => {
    let made = 0
    const endless = () =>
      new Readable({
        read() {
          made++
          this.push(Buffer.alloc(16_384))
        },
      })
    const plain = decoded(endless(), '', 10_000_000)
    await plain.next()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(made).toBeLessThan(10)
    await plain.return()
  })

  it('passes on why a body broke, decoding or not', async () => {
    const broken = () =>
      new Readable({
        read() {
          this.push(zlib.gzipSync(TEXT).subarray(0, 12))
          this.destroy(new Error('torn'))
        },
      })
    await expect(collect(decoded(broken(), '', BOUND))).rejects.toThrow('torn')
    await expect(collect(decoded(broken(), 'gzip', BOUND))).rejects.toThrow('torn')
  })
})

describe('a collector', () => {
  it('gives what was pushed since it was last taken', () => {
    const bytes = byteCollector()
    expect(bytes.take()).toHaveLength(0)
    for (let i = 0; i < 1000; i++) bytes.push(Uint8Array.of(i % 256, 7))
    const taken = bytes.take()
    bytes.push(Uint8Array.of(1))
    expect(taken).toHaveLength(2000)
    expect([taken[1998], taken[1999], ...bytes.take()]).toEqual([999 % 256, 7, 1])
  })
})

describe('withLineBreaks', () => {
  it.each([
    [
      ['a', 'b', 'c\nd', 'e'],
      ['abc\nd', 'e'],
    ],
    [['a\r', '\nb', '\n'], ['a\r', '\nb', '\n'].slice(0, 2).concat('\n')],
    [['abc'], ['abc']],
    [[], []],
  ])('joins %j to %j', async (chunks, joined) => {
    const seen: string[] = []
    for await (const chunk of withLineBreaks(bodyOf(...chunks.map((chunk) => Buffer.from(chunk)))))
      seen.push(Buffer.from(chunk).toString())
    expect(seen).toEqual(joined)
  })
})

it('takes the default for a registration that states no bound', () => {
  expect(bytesMaxOf({ responseBytesMax: 7 })).toBe(7)
  expect(bytesMaxOf({})).toBe(10 * 1024 * 1024)
})

describe('withLineEnds', () => {
  it.each([
    [['a\r\r'], 'a\r\r\n'],
    [['a\r', '\nb\r\n', '\n'], 'a\r\nb\r\n\n'],
    [['a\r', '', '\n\n'], 'a\r\n\n'],
    [['a\r', 'b\r', '\r'], 'a\r\nb\r\n\r\n'],
    [['a\n', '\r\n'], 'a\n\r\n'],
  ])('ends the lines of %j', async (chunks, expected) => {
    const source = async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk)
    }
    expect(Buffer.from(await collect(withLineEnds(source()))).toString()).toBe(expected)
  })
})

describe('wholeEvents', () => {
  async function* cut(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }

  it.each(['\n', '\r\n', '\r'])('cuts where an event ends, however it comes (%j)', async (eol) => {
    const events = [
      ['data: 1', '', ''],
      [': comment', 'id: 2', 'data: é', 'data: ', '', ''],
      ['', ''],
      ['data: 3', '', ''],
    ].map((lines) => lines.join(eol))
    const text = `${events.join('')}data: never ended${eol}`
    const bytes = Buffer.from(text)
    for (let size = 1; size <= bytes.length; size++) {
      const seen: string[] = []
      for await (const chunk of wholeEvents(cut(bytes, size))) seen.push(Buffer.from(chunk).toString())
      expect(seen.join('')).toBe(text)
      expect(seen.at(-1)).toContain('never ended')
      for (const chunk of seen.slice(0, -1))
        expect(chunk.replaceAll('\r\n', '\n').replaceAll('\r', '\n')).toMatch(/(?:^|\n)\n$/)
    }
  })

  it('holds nothing back that is whole', async () => {
    const chunks = ['data: 1\r\n\r', '\nda', 'ta: 2\n\n', 'data: 3\r\r', 'x']
    const seen: string[] = []
    const stream = async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk)
    }
    for await (const chunk of wholeEvents(stream())) seen.push(Buffer.from(chunk).toString())
    expect(seen).toEqual(['data: 1\r\n\r', '\n', 'data: 2\n\n', 'data: 3\r\r', 'x'])
  })

  it('gives each chunk a buffer of its own', async () => {
    const source = Buffer.from('data: 1\n\ndata: 2\n\n')
    for await (const chunk of wholeEvents(cut(source, 100))) expect(chunk.buffer).not.toBe(source.buffer)
  })
})
