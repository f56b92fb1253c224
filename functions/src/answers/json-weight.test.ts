import { describe, expect, it } from 'vitest'
import { parseJson } from '@vitrine/core/json/parse'
import { weightOf } from './json-weight.ts'

describe('the weight of JSON', () => {
  it('is in its structure, not in what looks like it inside of strings', () => {
    const structure = '[{},[],[{"a":1}]]'
    expect(weightOf(structure)).toBeGreaterThan(300)
    for (const text of ['[[[[{,:', 'a\\"[[{{', '\\\\\\"[[[[', '"\\\\"']) {
      expect(weightOf(JSON.stringify(text))).toBe(16 + JSON.stringify(text).length - 1)
    }
    expect(weightOf('"\\\\",[')).toBe(16 + 3 + 8 + 64)
    // The string never ends.
    expect(weightOf('"[[[[\\"')).toBe(16 + 7)
  })

  it.each([
    ['arrays', '[],'],
    ['objects', '{},'],
    ['objects of one key', '{"a":1},'],
    ['nested arrays', `${'['.repeat(100)}${']'.repeat(100)},`],
    ['index keys', '{"999":1},'],
    ['numbers that are kept', '1.0,'],
    ['long numbers that are kept', `0.${'1234567890'.repeat(10)},`],
    ['long strings', `"${'x'.repeat(100)}",`],
  ])('is what %s take, about', (_what, unit) => {
    const text = `[${unit.repeat(1_000_000 / unit.length)}1]`
    const before = process.memoryUsage().heapUsed
    const value = parseJson(text)
    const taken = process.memoryUsage().heapUsed - before
    expect(value).toHaveLength(Math.floor(1_000_000 / unit.length) + 1)
    expect(weightOf(text)).toBeGreaterThan(taken / 4)
  })
})
