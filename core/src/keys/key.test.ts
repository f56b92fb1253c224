import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { crc32 } from './crc.ts'
import { formatKey, hashSecret, KEY_KINDS, parseKey } from './key.ts'

const RANDOM = Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 3)
const KEY = formatKey('agent', 'a1B2c3', RANDOM)
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function isMalformed(text: string): boolean {
  const parsed = parseKey(text)
  if (!parsed.ok) expect(parsed.error.code).toBe('malformed_key')
  return !parsed.ok
}

describe('a key', () => {
  it.each(KEY_KINDS)('of kind %s is read as it was made', (kind) => {
    const parsed = parseKey(formatKey(kind, 'some-id_1', RANDOM))
    expect(parsed).toMatchObject({
      ok: true,
      value: { kind, id: 'some-id_1', secret: expect.stringMatching(/^[0-9A-Za-z]{49}$/) },
    })
  })

  it.each([
    ['zeros', new Uint8Array(32)],
    ['ones', new Uint8Array(32).fill(0xff)],
    ['one bit', Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 1 : 0))],
  ])('of random bytes that are %s has full length', (_, random) => {
    const key = formatKey('owner', 'x', random)
    expect(key).toMatch(/^owner\.x\.[0-9A-Za-z]{49}$/)
    expect(isMalformed(key)).toBe(false)
  })

  it('carries its 256 bits: base62 of the bytes as one number', () => {
    const body = KEY.split('.')[2]!.slice(0, 43)
    const value = [...body].reduce((sum, char) => sum * 62n + BigInt(BASE62.indexOf(char)), 0n)
    expect(value.toString(16).padStart(64, '0')).toBe(Buffer.from(RANDOM).toString('hex'))
  })

  it.each([0, 16, 31, 33, 64])('is not made of %d random bytes', (length) => {
    expect(() => formatKey('agent', 'x', new Uint8Array(length))).toThrow(RangeError)
  })
})

describe('a typo is malformed', () => {
  const secretAt = KEY.lastIndexOf('.') + 1

  it('at every position of kind, separators and secret', () => {
    const idAt = KEY.indexOf('.') + 1
    for (let i = 0; i < KEY.length; i++) {
      if (i >= idAt && i < secretAt - 1) continue
      for (const char of 'aZ0') {
        if (char !== KEY[i])
          expect([i, char, isMalformed(KEY.slice(0, i) + char + KEY.slice(i + 1))]).toEqual([i, char, true])
      }
    }
  })

  // The checksum covers only the secret, so the look-up finds out that an id is wrong.
  it('except within the id, which then is another id', () => {
    expect(parseKey(KEY.replace('a1B2c3', 'a1B2c4'))).toMatchObject({ ok: true, value: { id: 'a1B2c4' } })
  })

  it('when a character is missing, doubled or swapped with its neighbour', () => {
    for (let i = secretAt; i < KEY.length; i++) {
      expect(isMalformed(KEY.slice(0, i) + KEY.slice(i + 1))).toBe(true)
      expect(isMalformed(KEY.slice(0, i) + KEY[i] + KEY.slice(i))).toBe(true)
      if (i + 1 < KEY.length && KEY[i] !== KEY[i + 1]) {
        expect(isMalformed(KEY.slice(0, i) + KEY[i + 1] + KEY[i] + KEY.slice(i + 2))).toBe(true)
      }
    }
  })
})

describe('what is no key is malformed', () => {
  const secret = KEY.split('.')[2]!
  it.each([
    ['nothing', ''],
    ['dots', '..'],
    ['a JWT', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl'],
    ['an unknown kind', `admin.x.${secret}`],
    ['a kind in upper case', `Agent.x.${secret}`],
    ['a property of all objects as kind', `constructor.x.${secret}`],
    ['no id', `agent..${secret}`],
    ['an id that is a path', `agent.a/b.${secret}`],
    ['an id that climbs', `agent.__x__.${secret}`],
    ['an id of 129 characters', `agent.${'a'.repeat(129)}.${secret}`],
    ['a fourth part', `${KEY}.x`],
    ['white space before', ` ${KEY}`],
    ['a line break after', `${KEY}\n`],
    ['no secret', 'agent.x.'],
    ['a secret that is only a checksum', 'agent.x.000000'],
    ['a secret without its checksum', `agent.x.${secret.slice(0, 43)}`],
    ['a Cyrillic letter', KEY.replace('agent', 'аgent')],
    ['a megabyte', `agent.x.${'0'.repeat(1_000_000)}`],
    ['a megabyte of dots', '.'.repeat(1_000_000)],
  ])('%s', (_, text) => {
    expect(isMalformed(text)).toBe(true)
  })
})

it('may carry more than 32 bytes, within bounds, if its checksum holds', () => {
  const keyOf = (body: string): string => `tools.x.${body}${base62(crc32(utf8(body)))}`
  expect(isMalformed(keyOf('k'.repeat(43)))).toBe(false)
  expect(isMalformed(keyOf('k'.repeat(80)))).toBe(false)
  expect(isMalformed(keyOf('k'.repeat(81)))).toBe(true)
  expect(isMalformed(keyOf('k'.repeat(42)))).toBe(true)
  expect(isMalformed(keyOf(''))).toBe(true)
})

/** Six digits. */
function base62(value: number): string {
  return Array.from({ length: 6 }, (_, i) => BASE62[Math.floor(value / 62 ** (5 - i)) % 62]).join('')
}

it('is stored as SHA-256 of the secret', () => {
  expect(hashSecret('secret')).toBe(createHash('sha256').update('secret').digest('hex'))
})
