import { expect, test } from 'vitest'
import { lineSplitter } from './lines.ts'

function split(chunks: Buffer[], bytesMax = 100): { lines: string[]; long: string[] } {
  const [lines, long]: [string[], string[]] = [[], []]
  const push = lineSplitter({
    bytesMax,
    onLine: (line) => void lines.push(line),
    onLong: (beginning) => void long.push(beginning),
  })
  chunks.forEach(push)
  return { lines, long }
}

test('gives the same lines however the bytes are cut', () => {
  const bytes = Buffer.from('eins\n\nzwei äöü€😀\r\nthree\nrest')
  const expected = { lines: ['eins', '', 'zwei äöü€😀\r', 'three'], long: [] }
  for (let at = 0; at <= bytes.length; at++)
    expect(split([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(expected)
  expect(split(Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual(expected)
})

test('holds no more than allowed of a line, tells of it once and goes on with the next', () => {
  const long = 'x'.repeat(11)
  for (const chunks of [
    [`${long}${long}\nnext\n`],
    [long, long, `${long}\nnext\n`],
    Array.from(`${long}${long}\nnext\n`),
  ]) {
    expect(
      split(
        chunks.map((chunk) => Buffer.from(chunk)),
        10,
      ),
    ).toEqual({ lines: ['next'], long: ['x'.repeat(10)] })
  }
  expect(split([Buffer.from(`${'x'.repeat(10)}\n`)], 10)).toEqual({ lines: ['x'.repeat(10)], long: [] })
})
