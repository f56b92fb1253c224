import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JSON_DEPTH_MAX } from '../limits.ts'
import { checkPointer, parsePointer, pointersInto } from './redact-pointer.ts'

describe('checkPointer', () => {
  it.each([
    '',
    '/',
    '/a',
    '/a/b',
    '/a~0b/c~1d',
    '/0/1',
    '/*/email',
    '//',
    '/ä/鍵',
    '/a b',
    '/~01',
    '/'.repeat(JSON_DEPTH_MAX),
  ])('takes %j', (text) => expect(checkPointer(text)).toEqual({ ok: true, value: text }))

  it.each([
    ['a', 'does not begin with "/"'],
    ['a/b', 'does not begin with "/"'],
    ['#/a', 'does not begin with "/"'],
    ['$.a', 'does not begin with "/"'],
    ['/~', '"~0"'],
    ['/a~2', '"~0"'],
    ['/~a/b', '"~0"'],
    ['/\ud800', 'surrogate'],
    ['/'.repeat(JSON_DEPTH_MAX + 1), 'segments'],
    [`/${'a'.repeat(512)}`, '512'],
  ])('refuses %j', (text, reason) => {
    const checked = checkPointer(text)
    expect(checked).toMatchObject({ ok: false, error: { code: 'invalid_argument', details: { field: 'redact' } } })
    expect(checked.ok ? '' : checked.error.message).toContain(reason)
    expect(() => parsePointer(text)).toThrow(RangeError)
  })

  it('takes and refuses as parsePointer does', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('/', '~', '0', '1', 'a', '*') }), (text) => {
        let parsed = true
        try {
          parsePointer(text)
        } catch {
          parsed = false
        }
        expect(checkPointer(text).ok).toBe(parsed)
      }),
    )
  })
})

describe('parsePointer', () => {
  // RFC 6901, section 5.
  it.each([
    ['', []],
    ['/foo', ['foo']],
    ['/foo/0', ['foo', '0']],
    ['/', ['']],
    ['/a~1b', ['a/b']],
    ['/m~0n', ['m~n']],
    ['/~01', ['~1']],
    ['/ ', [' ']],
  ])('reads %j', (text, segments) => expect(parsePointer(text)).toEqual(segments))

  it('reads back any names', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 8, unit: fc.constantFrom('~', '/', '0', '1', '*', 'a', 'é', '鍵', '🔑') }), {
          maxLength: 5,
        }),
        (names) => {
          const text = names.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
          expect(parsePointer(text)).toEqual(names)
        },
      ),
    )
  })
})

it('pointersInto goes on by name and by wildcard', () => {
  expect(pointersInto([['a', 'b'], ['*', 'c'], ['b'], [], ['a']], 'a')).toEqual([['b'], ['c'], []])
})
