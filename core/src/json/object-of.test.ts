import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { objectOf } from './object-of.ts'
import { redactArgs } from '../scrub/redact.ts'
import { createScrubber } from '../scrub/scrub.ts'
import type { JsonValue } from './value.ts'

describe('objectOf', () => {
  it('is what Object.fromEntries is', () => {
    const key = fc.oneof(
      // fast-check's own units of every code point take two seconds to be made.
      fc.string({ unit: fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code)) }),
      fc.constantFrom('__proto__', 'constructor', '0', '1', '999', '01', '4294967295', '-1', '1e3', '\ud800'),
      fc.nat().map(String),
    )
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 30 }), (keys) => {
        const values = keys.map((_, i) => [i])
        const object = objectOf(keys, values)
        const expected = Object.fromEntries(keys.map((name, i) => [name, values[i]!]))
        expect(Object.entries(object)).toEqual(Object.entries(expected))
        expect(Object.getPrototypeOf(object)).toBe(Object.prototype)
      }),
    )
  })

  const items = (of: string): JsonValue => JSON.parse(`[${Array(20_000).fill(of).join(',')}]`) as JsonValue
  const scrub = (value: JsonValue) =>
    createScrubber('s3cret-pass', { scheme: 'bearer' }).answer({ type: 'json', value })
  it.each<[string, () => unknown]>([
    ['an answer with the credential in one place', () => scrub([items('{"999":1}'), 's3cret-pass'])],
    ['an answer with the credential in every place', () => scrub(items('{"999":"s3cret-pass"}'))],
    ['an answer with the credential in keys', () => scrub(items('{"999":1,"s3cret-pass":1}'))],
    ['arguments', () => redactArgs(items('{"999":1}'))],
  ])('does not let %s take a thousand times its length', (_what, copy) => {
    const before = process.memoryUsage().heapUsed
    const made = copy()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000)
    expect(made).toBeDefined()
  })
})
