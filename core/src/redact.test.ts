import { describe, expect, it } from 'vitest'
import { isSensitiveName, REDACTED, redactArgs } from './redact.ts'

describe('redactArgs', () => {
  it('replaces sensitive values at every depth and keeps the rest', () => {
    const args = { q: 'x', login: { user: 'u', password: 'p', list: [{ apiKey: 'k', n: 1 }, 'plain', null] }, ok: true }
    expect(redactArgs(args)).toEqual({ q: 'x', login: { user: 'u', password: REDACTED, list: [{ apiKey: REDACTED, n: 1 }, 'plain', null] }, ok: true })
  })

  it('replaces whatever the value is', () => {
    expect(redactArgs({ token: { nested: ['a'] }, secret: 7, otp: null, cookie: [] })).toEqual({
      token: REDACTED, secret: REDACTED, otp: REDACTED, cookie: REDACTED,
    })
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

describe('isSensitiveName', () => {
  it.each([
    'password', 'PASSWORD', 'user_password', 'passwd', 'passphrase', 'client_secret', 'token', 'access-token', 'refreshToken', 'api_key', 'API-Key', 'api key',
    'aws_access_key', 'private_key', 'Authorization', 'Set-Cookie', 'session_id', 'otp', 'pin', 'card_pin', 'cvv', 'card_number', 'IBAN', 'ssn',
  ])('takes %s for a credential', (name) => expect(isSensitiveName(name)).toBe(true))

  it.each(['q', 'query', 'user', 'key', 'pinned', 'spinner', 'name', 'card', 'session', ''])('takes %s for no credential', (name) =>
    expect(isSensitiveName(name)).toBe(false))
})
