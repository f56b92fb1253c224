import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { endWithJson, rawJson } from './raw-json.ts'

/** The writes to the stream, one by one. */
function written(value: unknown, before?: string, after?: string): unknown[] {
  const chunks: unknown[] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, taken) {
      chunks.push(chunk)
      taken()
    },
  })
  endWithJson(stream, value, before, after)
  expect(stream.writableEnded).toBe(true)
  return chunks
}

describe('endWithJson', () => {
  it('writes raw JSON where it belongs, and its bytes as they are', () => {
    const bytes = Buffer.from('{"é":[1]}')
    const chunks = written({ a: 'x', result: rawJson(bytes), z: 1 })
    expect(chunks).toEqual(['{"a":"x","result":', bytes, ',"z":1}'])
    expect(chunks[1]).toBe(bytes)
    expect(written([rawJson(bytes), [rawJson(Buffer.from('2'))], 3], 'data: ', '\n\n').join('')).toBe(
      'data: [{"é":[1]},[2],3]\n\n',
    )
  })

  it('writes what is not raw at once, also after what was', () => {
    written(rawJson(Buffer.from('1')))
    expect(written({ result: 'é' }, 'data: ', '\n\n')).toEqual(['data: {"result":"é"}\n\n'])
  })
})
