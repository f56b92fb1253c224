import { describe, expect, it } from 'vitest'
import { canonicalize, canonicalPieces } from './jcs.ts'
import { CANONICAL_DEPTH_MAX, JSON_DEPTH_MAX } from '../limits.ts'

/** `{"a":{"a":…0}}` or `[[…0]]`, built without recursion. */
function nested(depth: number, wrap: (inner: unknown) => unknown = (inner) => [inner]): unknown {
  let value: unknown = 0
  for (let i = 0; i < depth; i++) value = wrap(value)
  return value
}

describe('canonical form', () => {
  it('sorts keys by UTF-16 code units at every depth, without white space (RFC 8785 section 3.2.3)', () => {
    const value = { '€': 1, '\r': 2, '\ufb33': 3, '1': 4, '😀': 5, '\u0080': 6, ö: 7, z: { b: [true, null], a: 'x' } }
    expect(canonicalize(value)).toBe(
      '{"\\r":2,"1":4,"z":{"a":"x","b":[true,null]},"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
    )
  })

  it.each([
    [0, '0'],
    [-0, '0'],
    [1e21, '1e+21'],
    [1e-7, '1e-7'],
    [333333333.33333329, '333333333.3333333'],
    [5e-324, '5e-324'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ])('writes %d as %s', (value, text) => {
    expect(canonicalize(value)).toBe(text)
  })

  it('escapes as little as JSON.stringify does', () => {
    expect(canonicalize('\u0000\b\t\n\f\r"\\/\u007f\u2028€')).toBe('"\\u0000\\b\\t\\n\\f\\r\\"\\\\/\u007f\u2028€"')
  })

  it('does not depend on the order in which keys were set, and survives a round trip', () => {
    const text = canonicalize({ b: 1, a: { d: [], c: {} } })
    expect(canonicalize({ a: { c: {}, d: [] }, b: 1 })).toBe(text)
    expect(canonicalize(JSON.parse(text))).toBe(text)
  })

  it('keeps __proto__ from JSON as a key like any other', () => {
    expect(canonicalize(JSON.parse('{"__proto__":{"a":1},"b":2}'))).toBe('{"__proto__":{"a":1},"b":2}')
  })

  it('takes objects without a prototype', () => {
    expect(canonicalize(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}')
  })

  it('takes one object in two places, which is no cycle', () => {
    const shared = { a: 1 }
    expect(canonicalize([shared, { b: shared }])).toBe('[{"a":1},{"b":{"a":1}}]')
  })
})

describe('what JSON cannot represent throws TypeError', () => {
  const cyclicArray: unknown[] = []
  cyclicArray.push([cyclicArray])
  const wideCycle: unknown[] = []
  wideCycle.push(wideCycle, wideCycle)
  const cyclicObject: Record<string, unknown> = {}
  cyclicObject['a'] = { b: cyclicObject }

  const HOSTILE: [string, unknown][] = [
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['a boxed string', new String('a')],
    ['bytes', Uint8Array.of(1)],
    [
      'a class instance',
      new (class Point {
        x = 1
      })(),
    ],
    [
      'toJSON on a class instance',
      new (class Sly {
        toJSON(): string {
          return 'harmless'
        }
      })(),
    ],
    ['toJSON on a plain object', { toJSON: () => 'harmless' }],
    ['an object that inherits from another', Object.create({ a: 1 })],
    ['a sparse array', [1, , 3]],
    ['a huge sparse array', new Array(4_000_000_000)],
    ['a lone high surrogate', 'a\ud800b'],
    ['a lone low surrogate', '\udc00'],
    ['a cyclic array', cyclicArray],
    ['a cyclic object', cyclicObject],
    ['a cycle with two ways round', wideCycle],
  ]

  it.each(HOSTILE)('%s', (_, value) => {
    expect(() => canonicalize(value)).toThrow(TypeError)
    expect(() => canonicalize({ deep: [value] })).toThrow(TypeError)
  })

  it('a key with a lone surrogate', () => {
    expect(() => canonicalize({ '\ud800': 1 })).toThrow(TypeError)
  })

  it.each([
    ['arrays', (inner: unknown) => [inner]],
    ['objects', (inner: unknown) => ({ a: inner })],
  ])('100,000 levels of %s', (_, wrap) => {
    expect(() => canonicalize(nested(100_000, wrap))).toThrow(TypeError)
  })
})

it('is the same in pieces, none of which is large', () => {
  const value = {
    numbers: Array.from({ length: 50_000 }, (_, i) => i),
    object: Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`é${i}`, [null, true, '😀']])),
  }
  const pieces: string[] = []
  canonicalPieces(value, (piece) => pieces.push(piece))
  expect(pieces.join('')).toBe(canonicalize(value))
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(70_000)
  expect(() => canonicalPieces([value, Number.NaN], () => undefined)).toThrow(TypeError)
})

it('takes as many levels as it promises, which is more than arguments may have', () => {
  expect(canonicalize(nested(CANONICAL_DEPTH_MAX))).toBe(
    `${'['.repeat(CANONICAL_DEPTH_MAX)}0${']'.repeat(CANONICAL_DEPTH_MAX)}`,
  )
  expect(() => canonicalize(nested(CANONICAL_DEPTH_MAX + 1))).toThrow(TypeError)
  expect(CANONICAL_DEPTH_MAX).toBeGreaterThan(JSON_DEPTH_MAX)
})
