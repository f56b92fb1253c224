import { describe, expect, it } from 'vitest'
import { canonicalize } from './jcs.ts'
import { checkJson, isObject } from './value.ts'
import { JSON_DEPTH_MAX } from '../limits.ts'

function problemOf(value: unknown): string {
  const checked = checkJson(value)
  if (checked.ok) throw new Error('expected a failure')
  expect(checked.error).toMatchObject({ code: 'invalid_argument', details: { field: 'args' } })
  return checked.error.message ?? ''
}

describe('JSON passes unchanged', () => {
  const VALUES: unknown[] = [
    null,
    true,
    0,
    -1.5,
    1e308,
    '',
    'ü😀',
    [],
    {},
    [[1], { a: [null] }],
    { toString: 1, hasOwnProperty: 2, proto: 3 },
  ]
  it.each(VALUES.map((value) => ({ value })))('$value', ({ value }) => {
    expect(checkJson(value)).toEqual({ ok: true, value })
  })

  it('objects without a prototype', () => {
    expect(checkJson(Object.assign(Object.create(null), { a: 1 })).ok).toBe(true)
  })

  it('one object in two places', () => {
    const shared = { a: 1 }
    expect(checkJson([shared, shared]).ok).toBe(true)
  })
})

describe('what is not JSON fails with invalid_argument and its path', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = { again: cyclic }

  const HOSTILE: [string, unknown, string][] = [
    ['undefined', undefined, 'is undefined'],
    ['NaN', Number.NaN, 'is NaN'],
    ['Infinity', Number.POSITIVE_INFINITY, 'is Infinity'],
    ['a bigint', 1n, 'is bigint'],
    ['a function', () => 1, 'is function'],
    ['a symbol', Symbol('s'), 'is symbol'],
    ['a Date', new Date(0), 'is not a plain object'],
    ['bytes', Uint8Array.of(1), 'is not a plain object'],
    [
      'a class instance',
      new (class Point {
        x = 1
      })(),
      'is not a plain object',
    ],
    ['toJSON', { toJSON: () => 'harmless' }, '.toJSON is function'],
    ['a lone surrogate', '\ud800', 'holds a lone surrogate'],
    ['a key with a lone surrogate', { '\udc00': 1 }, 'has a key with a lone surrogate'],
    ['a sparse array', [1, , 3], '[1] is undefined'],
    ['a huge sparse array', new Array(4_000_000_000), '[0] is undefined'],
    ['a cycle', cyclic, 'is nested deeper than 64 levels, or is cyclic'],
    ['__proto__', JSON.parse('{"__proto__":{"admin":true}}'), 'has a key that is not allowed: __proto__'],
    ['constructor', { constructor: { prototype: {} } }, 'has a key that is not allowed: constructor'],
    ['prototype', { prototype: 1 }, 'has a key that is not allowed: prototype'],
  ]

  it.each(HOSTILE)('%s', (_, value, problem) => {
    expect(problemOf(value)).toMatch(/^args/)
    expect(problemOf(value)).toContain(problem)
    expect(problemOf({ list: [{ inner: value }] })).toContain(problem)
  })

  it('names where it is', () => {
    expect(problemOf({ a: [{ b: Number.NaN }] })).toBe('args.a[0].b is NaN, which JSON cannot hold.')
    expect(checkJson(Number.NaN, 'meta')).toMatchObject({
      error: { message: 'meta is NaN, which JSON cannot hold.', details: { field: 'meta' } },
    })
  })
})

describe('depth', () => {
  it.each([
    ['arrays', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('of %s is taken up to the limit', (_, open, close) => {
    const nested = (depth: number): unknown => JSON.parse(`${open.repeat(depth)}0${close.repeat(depth)}`)
    expect(checkJson(nested(JSON_DEPTH_MAX)).ok).toBe(true)
    expect(problemOf(nested(JSON_DEPTH_MAX + 1))).toContain('nested deeper')
  })

  it('of 100,000 levels fails without overflowing the stack', () => {
    expect(problemOf(JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)))).toContain('nested deeper')
    expect(problemOf(JSON.parse('{"a":'.repeat(100_000) + '0' + '}'.repeat(100_000)))).toContain('nested deeper')
  })
})

it('writes a message that is itself well-formed and short, whatever the keys are', () => {
  const split = { [`${'x'.repeat(39)}😀`]: Number.NaN }
  expect(problemOf(split).isWellFormed()).toBe(true)
  expect(problemOf({ ['k'.repeat(100_000)]: Number.NaN }).length).toBeLessThan(120)
})

it('accepts nothing that cannot be hashed', () => {
  const accepted: unknown[] = [[-0, 1e21, 'x'], { a: { b: null } }, JSON.parse('{"":[]}')]
  for (const value of accepted) {
    expect(checkJson(value).ok).toBe(true)
    expect(canonicalize(value)).toBe(canonicalize(JSON.parse(JSON.stringify(value))))
  }
})

it('tells objects from everything else', () => {
  expect([{}, { a: 1 }, Object.create(null)].map(isObject)).toEqual([true, true, true])
  expect([null, undefined, [], 'text', 1, true, () => 1].some(isObject)).toBe(false)
})
