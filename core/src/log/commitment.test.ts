import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseJson } from '../json/parse.ts'
import { commit, openingOf } from './commitment.ts'

const SALT = '0f'.repeat(32)

it('is SHA-256 of a two byte, the salt and the canonical arguments', () => {
  const opening = openingOf({ b: [1, null], a: 'ü' }, SALT)
  expect(opening).toEqual({ salt: SALT, args: '{"a":"ü","b":[1,null]}' })
  const bytes = Buffer.concat([Buffer.of(2), Buffer.from(SALT, 'hex'), Buffer.from('{"a":"ü","b":[1,null]}')])
  expect(commit(opening)).toBe(createHash('sha256').update(bytes).digest('hex'))
})

describe('a commitment binds', () => {
  it('the arguments', () => {
    expect(commit(openingOf({ q: 'a' }, SALT))).not.toBe(commit(openingOf({ q: 'b' }, SALT)))
    expect(commit(openingOf({ a: 1, b: 2 }, SALT))).toBe(commit(openingOf({ b: 2, a: 1 }, SALT)))
  })

  it('every digit of them, as it came', () => {
    const of = (args: string) => openingOf(parseJson(args), SALT)
    expect(of('{"b":1.0,"a":725653563933458432}').args).toBe('{"a":725653563933458432,"b":1.0}')
    for (const other of ['725653563933458433', '725653563933458400', '725653563933458432.0'])
      expect(commit(of(`{"id":${other}}`))).not.toBe(commit(of('{"id":725653563933458432}')))
  })

  it('and hides them: equal arguments with other salts have nothing in common', () => {
    expect(commit(openingOf({ q: 'a' }, SALT))).not.toBe(commit(openingOf({ q: 'a' }, '0e'.repeat(32))))
  })

  it('the place where the salt ends', () => {
    const twelve = { salt: SALT, args: '12' }
    const two = { salt: `${SALT}31`, args: '2' } // 0x31 is "1": the same bytes, cut elsewhere
    expect(commit(twelve)).toMatch(/^[0-9a-f]{64}$/)
    expect(() => commit(two)).toThrow(RangeError)
  })
})

it.each([
  ['none', ''],
  ['a short one', '0f'],
  ['upper case', '0F'.repeat(32)],
  ['odd length', '0f'.repeat(31) + '0'],
  ['no hex', 'zz'.repeat(32)],
])('throws on a salt that is %s', (_, salt) => {
  expect(() => commit({ salt, args: '{}' })).toThrow(RangeError)
})
