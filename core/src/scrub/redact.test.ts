import { describe, expect, it } from 'vitest'
import { parseJson } from '../json/parse.ts'
import { isSensitiveName, REDACTED, redactArgs } from './redact.ts'

describe('redactArgs', () => {
  it('replaces sensitive values at every depth and keeps the rest', () => {
    const args = { q: 'x', login: { user: 'u', password: 'p', list: [{ apiKey: 'k', n: 1 }, 'plain', null] }, ok: true }
    expect(redactArgs(args)).toEqual({
      q: 'x',
      login: { user: 'u', password: REDACTED, list: [{ apiKey: REDACTED, n: 1 }, 'plain', null] },
      ok: true,
    })
  })

  it('replaces whatever the value is', () => {
    expect(redactArgs({ token: { nested: ['a'] }, secret: 7, otp: null, cookie: [] })).toEqual({
      token: REDACTED,
      secret: REDACTED,
      otp: REDACTED,
      cookie: REDACTED,
    })
  })

  it('keeps the digits of numbers, and takes a kept number for no object', () => {
    const args = parseJson('{"pin":1.0,"id":725653563933458432,"of":[{"a":-0,"token":1e400}]}')
    expect(JSON.stringify(redactArgs(args))).toBe(
      `{"pin":"${REDACTED}","id":725653563933458432,"of":[{"a":-0,"token":"${REDACTED}"}]}`,
    )
    expect(JSON.stringify(redactArgs(args, ['/id', '/of/0/a/rawJSON', '/of/*/a']))).toBe(
      `{"pin":"${REDACTED}","id":"${REDACTED}","of":[{"a":"${REDACTED}","token":"${REDACTED}"}]}`,
    )
  })

  it('leaves its argument untouched', () => {
    const args = { password: 'p', inner: { token: 't' } }
    redactArgs(args)
    expect(args).toEqual({ password: 'p', inner: { token: 't' } })
  })

  it.each([['text'], [7], [true], [null]])('passes the scalar %s', (value) => {
    expect(redactArgs(value)).toBe(value)
  })

  it('keeps an own key __proto__ an own key', () => {
    const copy = redactArgs(JSON.parse('{"__proto__":{"token":"t"}}')) as object
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
    expect(JSON.stringify(copy)).toBe(`{"__proto__":{"token":"${REDACTED}"}}`)
  })
})

describe('redactArgs with pointers', () => {
  const args = {
    customers: [
      { email: 'a@x.test', n: 1 },
      { email: 'b@x.test', tags: ['t', 'u'] },
    ],
    'a/b': { 'm~n': 5 },
    '': 'empty',
    '*': 'star',
    q: null,
  }

  it.each<[pointers: string[], changed: object]>([
    [['/q'], { q: REDACTED }],
    [['/customers'], { customers: REDACTED }],
    [['/customers/0/email'], { customers: [{ email: REDACTED, n: 1 }, args.customers[1]] }],
    [
      ['/customers/*/email'],
      {
        customers: [
          { email: REDACTED, n: 1 },
          { email: REDACTED, tags: ['t', 'u'] },
        ],
      },
    ],
    [
      ['/customers/*/email', '/customers/1/tags/*'],
      {
        customers: [
          { email: REDACTED, n: 1 },
          { email: REDACTED, tags: [REDACTED, REDACTED] },
        ],
      },
    ],
    [
      ['/customers/*/*'],
      {
        customers: [
          { email: REDACTED, n: REDACTED },
          { email: REDACTED, tags: REDACTED },
        ],
      },
    ],
    [['/customers/*/email', '/customers'], { customers: REDACTED }],
    [['/a~1b/m~0n'], { 'a/b': { 'm~n': REDACTED } }],
    [['/'], { '': REDACTED }],
    [['/~01', '/customers/2', '/customers/00/email', '/customers/-', '/q/deeper', '/customers/length', '/nowhere'], {}],
    [['/*'], { customers: REDACTED, 'a/b': REDACTED, '': REDACTED, '*': REDACTED, q: REDACTED }],
  ])('%j', (pointers, changed) => expect(redactArgs(args, pointers)).toEqual({ ...args, ...changed }))

  it('replaces all for the empty pointer', () => expect(redactArgs(args, [''])).toBe(REDACTED))

  it('throws for what is no pointer instead of passing over it', () =>
    expect(() => redactArgs(args, ['/q', 'customers'])).toThrow(RangeError))
})

describe('redactArgs and well-known secrets', () => {
  const token = `ghp_${'aZ3kQ9'.repeat(6)}`

  it('replaces them within strings and keys at any depth', () => {
    expect(redactArgs({ a: [`see ${token}.`, { [`k ${token}`]: 1 }], [token]: { b: token } })).toEqual({
      a: [`see ${REDACTED}.`, { [`k ${REDACTED}`]: 1 }],
      [REDACTED]: { b: REDACTED },
    })
    expect(redactArgs(token)).toBe(REDACTED)
  })

  it('keeps all values of keys that become alike', () => {
    const other = `gho_${'aZ3kQ9'.repeat(6)}`
    expect(redactArgs({ [token]: 1, [other]: 2, [REDACTED]: 3 })).toEqual({
      [REDACTED]: 1,
      [`${REDACTED} (2)`]: 2,
      [`${REDACTED} (3)`]: 3,
    })
  })

  it('judges a field by the name it had', () => {
    expect(redactArgs({ [`password ${token}`]: 'x', [`a ${token}`]: 'x' }, [`/a ${token}`])).toEqual({
      [`password ${REDACTED}`]: REDACTED,
      [`a ${REDACTED}`]: REDACTED,
    })
  })
})

describe('isSensitiveName', () => {
  it.each([
    'password',
    'PASSWORD',
    'user_password',
    'passwd',
    'passphrase',
    'client_secret',
    'token',
    'access-token',
    'refreshToken',
    'api_key',
    'API-Key',
    'api key',
    'aws_access_key',
    'private_key',
    'Authorization',
    'Set-Cookie',
    'session_id',
    'otp',
    'pin',
    'card_pin',
    'cvv',
    'card_number',
    'IBAN',
    'ssn',
  ])('takes %s for a credential', (name) => expect(isSensitiveName(name)).toBe(true))

  it.each(['q', 'query', 'user', 'key', 'pinned', 'spinner', 'name', 'card', 'session', ''])(
    'takes %s for no credential',
    (name) => expect(isSensitiveName(name)).toBe(false),
  )
})
