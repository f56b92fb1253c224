import { describe, expect, it } from 'vitest'
import { reveal } from '../../test/sdk/reveal.ts'
import { testKey } from '../../test/sdk/test-key.ts'
import { VitrineError } from './error.ts'
import { Vitrine } from './index.ts'
import { readOptions, type VitrineOptions } from './options.ts'

const key = testKey()

function thrownBy(options: unknown): VitrineError {
  try {
    new Vitrine(options as VitrineOptions)
  } catch (error) {
    if (error instanceof VitrineError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('baseUrl', () => {
  it.each([
    ['https://example.com', 'https://example.com'],
    ['https://example.com/', 'https://example.com'],
    ['https://example.com/api/v1//', 'https://example.com/api/v1'],
    ['http://127.0.0.1:5001/demo-x/us-central1', 'http://127.0.0.1:5001/demo-x/us-central1'],
    ['http://localhost:8080/', 'http://localhost:8080'],
    ['http://[::1]:8080', 'http://[::1]:8080'],
  ])('takes %s', (baseUrl, expected) => {
    expect(readOptions({ baseUrl, key }).baseUrl).toBe(expected)
  })

  it.each([
    'http://example.com',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'ftp://127.0.0.1/',
    'example.com',
    '/api',
    '',
    undefined,
    null,
    'https://user:pass@example.com',
    'https://example.com/?a=1',
    'https://example.com/#top',
  ])('refuses %s', (baseUrl) => {
    expect(thrownBy({ baseUrl, key })).toMatchObject({ code: 'invalid_url', status: 0, retryable: false })
  })

  it('keeps credentials in a URL out of the error', () => {
    expect(reveal(thrownBy({ baseUrl: 'https://user:hunter2@example.com', key }))).not.toContain('hunter2')
  })
})

describe('identity', () => {
  const baseUrl = 'https://example.com'

  it.each([
    '',
    'agent',
    'agent.a1.short',
    `${key}x`,
    key.toLowerCase(),
    ` ${key}`,
    `${key}\n`,
    key.replace('agent', 'admin'),
    42,
    null,
  ])('refuses the key %j', (wrong) => {
    expect(thrownBy({ baseUrl, key: wrong })).toMatchObject({ code: 'malformed_key', status: 0 })
  })

  it('does not quote a malformed key', () => {
    const secret = key.split('.')[2]!
    expect(reveal(thrownBy({ baseUrl, key: `agent.a1.${secret}x` }))).not.toContain(secret)
  })

  it('wants exactly one of key and getToken', () => {
    expect(thrownBy({ baseUrl })).toMatchObject({ code: 'invalid_argument' })
    expect(thrownBy({ baseUrl, key, getToken: () => 'x' })).toMatchObject({ code: 'invalid_argument' })
    expect(thrownBy({ baseUrl, getToken: 'x' })).toMatchObject({ code: 'invalid_argument' })
  })
})

describe('timeoutMs and fetch', () => {
  it.each([0, -1, 1.5, NaN, Infinity, 2 ** 31, '1000'])('refuses timeoutMs %s', (timeoutMs) => {
    expect(thrownBy({ baseUrl: 'https://example.com', key, timeoutMs })).toMatchObject({ code: 'invalid_argument' })
  })

  it('refuses a fetch that is no function', () => {
    expect(thrownBy({ baseUrl: 'https://example.com', key, fetch: {} })).toMatchObject({ code: 'invalid_argument' })
  })

  it('says what is wrong when there are no options at all', () => {
    expect(thrownBy(undefined)).toMatchObject({ code: 'invalid_argument' })
  })
})
