import { expect, test } from 'vitest'
import { BUNDLE_LINE_LENGTH_MAX } from '@vitrine/core/log/bundle'
import { utf8 } from '@vitrine/core/bytes'
import { readLines, type LineBatch } from './lines.ts'

/** Yields every chunk in the same buffer, like a file reader. */
async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(size)
  for (let at = 0; at < bytes.length; at += size) {
    buffer.fill(0x78)
    const length = Buffer.from(bytes.subarray(at, at + size)).copy(buffer)
    yield buffer.subarray(0, length)
  }
}

async function read(bytes: Uint8Array, size: number): Promise<LineBatch[]> {
  return collect(readLines(inChunks(bytes, size)))
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

test('lines are the same however they are cut', async () => {
  const text = 'a\n\n{"é":"😀"}\nlonger than most of the chunks are\nlast\n'
  for (let size = 1; size < 80; size++) {
    const batches = await read(utf8(text), size)
    expect(batches.flatMap(({ lines }) => lines)).toEqual(text.slice(0, -1).split('\n'))
    expect(batches.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(utf8(text).length)
    expect(batches.some(({ cut }) => cut)).toBe(false)
  }
})

test('what stands behind the last newline is told apart', async () => {
  for (let size = 1; size < 8; size++) {
    const batches = await read(utf8('a\nb\nc'), size)
    expect(batches.at(-1)).toEqual({ lines: ['c'], bytes: 1, cut: true })
    expect(batches.filter(({ cut }) => cut)).toHaveLength(1)
  }
})

test('a line that is not UTF-8 leaves the others readable', async () => {
  const bytes = Buffer.concat([utf8('a\nb'), Uint8Array.of(0xff), utf8('\né\n')])
  expect((await read(bytes, 100))[0]?.lines).toEqual(['a', undefined, 'é'])
})

test('nothing has no lines', async () => {
  expect(await read(new Uint8Array(0), 10)).toEqual([])
})

test('a line without end is refused before it fills the memory', async () => {
  async function* endless() {
    const chunk = new Uint8Array(64 * 1024).fill(0x78)
    for (;;) yield chunk
  }
  await expect(collect(readLines(endless()))).rejects.toMatchObject({
    code: 'bad_input',
    message: expect.stringContaining(String(BUNDLE_LINE_LENGTH_MAX)) as unknown,
  })
})
