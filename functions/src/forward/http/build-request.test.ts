import { describe, expect, it } from 'vitest'
import type { JsonObject } from '@vitrine/core/json/value'
import type { Endpoint } from '@vitrine/core/tool'
import { buildRequest } from './build-request.ts'

function endpoint(changes: Partial<Endpoint> = {}): Endpoint {
  return {
    responseBytesMax: 1_000,
    url: 'https://api.example.com/v1/find',
    method: 'POST',
    auth: { scheme: 'bearer' },
    headers: {},
    ...changes,
  }
}

const pathOf = (changes: Partial<Endpoint>, args: JsonObject, credential: string | null = null) =>
  new URL(buildRequest(endpoint({ method: 'GET', ...changes }), args, credential).url).href.slice(
    'https://api.example.com'.length,
  )

describe('where the arguments go', () => {
  it.each(['POST', 'PUT', 'PATCH'] as const)('%s sends them as JSON', (method) => {
    expect(
      buildRequest(
        endpoint({ method, url: 'https://api.example.com:8443/v1?fixed=1' }),
        { q: 'é', n: [1, null, { a: true }] },
        null,
      ),
    ).toEqual({
      url: 'https://api.example.com:8443/v1?fixed=1',
      method,
      headers: {
        accept: 'application/json, text/*;q=0.9, */*;q=0.8',
        'accept-encoding': 'gzip, br',
        'content-type': 'application/json',
        'user-agent': 'vitrine',
      },
      ownHeaders: {},
      queryCredential: null,
      body: '{"q":"é","n":[1,null,{"a":true}]}',
    })
  })

  it.each(['GET', 'DELETE'] as const)('%s sends them in the query, without a body', (method) => {
    const request = buildRequest(
      endpoint({ method }),
      {
        q: 'a b&c=d',
        n: 1.5,
        yes: false,
        none: null,
        list: ['x', 2, null, { y: 1 }],
        deep: { z: [1] },
        empty: '',
        nothing: [],
      },
      null,
    )
    expect(request).toMatchObject({ method, body: null })
    expect(request.headers).not.toHaveProperty('content-type')
    expect(request.url).toBe(
      'https://api.example.com/v1/find?q=a%20b%26c%3Dd&n=1.5&yes=false&list=x&list=2&list=%7B%22y%22%3A1%7D&deep=%7B%22z%22%3A%5B1%5D%7D&empty=',
    )
  })

  it('adds no question mark without a query', () => {
    expect(pathOf({}, {})).toBe('/v1/find')
    expect(pathOf({ url: 'https://api.example.com/v1?' }, { a: null })).toBe('/v1')
  })

  it('keeps the registered query as it is, and first', () => {
    expect(pathOf({ url: 'https://api.example.com/v1?b=%41&a&a=2' }, { c: 3 })).toBe('/v1?b=%41&a&a=2&c=3')
  })
})

describe('what the arguments cannot change', () => {
  it('host, path, fragment or header, whatever they hold', () => {
    const hostile = {
      '/../admin': '/x',
      '?a': '#b',
      'a\r\nHost: evil': '\r\nX: y',
      '&k': '=v',
      '@evil': '//evil',
      __proto__x: '\0',
    }
    const request = buildRequest(endpoint({ method: 'GET' }), hostile, null)
    expect(request.url).toMatch(/^https:\/\/api\.example\.com\/v1\/find\?[\w%=&.-]+$/)
    expect(Object.fromEntries(new URL(request.url).searchParams)).toEqual(hostile)
  })
})

describe('the credential', () => {
  it('by scheme', () => {
    const headers = (auth: Endpoint['auth']) => buildRequest(endpoint({ auth }), {}, 's3crét').ownHeaders
    expect(headers({ scheme: 'bearer' })['authorization']).toBe('Bearer s3crét')
    expect(headers({ scheme: 'basic', username: 'älice' })['authorization']).toBe(
      `Basic ${Buffer.from('älice:s3crét').toString('base64')}`,
    )
    expect(headers({ scheme: 'basic' })['authorization']).toBe(`Basic ${Buffer.from('s3crét').toString('base64')}`)
    expect(headers({ scheme: 'header', name: 'X-Api-Key' })).toMatchObject({ 'x-api-key': 's3crét' })
    expect(headers({ scheme: 'header', name: 'X-Api-Key' })).not.toHaveProperty('authorization')
    expect(headers({ scheme: 'query', name: 'k' })).not.toHaveProperty('authorization')
  })

  it('for the query also when the arguments are in the body, replacing what the URL holds', () => {
    const auth = { scheme: 'query', name: 'k' } as const
    const request = buildRequest(
      endpoint({ auth, url: 'https://api.example.com/?k=old&a=1&%6B=older' }),
      { k: 'argument' },
      'a&b=c',
    )
    expect(request.url).toBe('https://api.example.com/?a=1')
    expect(request.queryCredential).toEqual({ name: 'k', value: 'a&b=c' })
    expect(request.body).toBe('{"k":"argument"}')
  })

  it('wins over a static header of its name', () => {
    const request = buildRequest(
      endpoint({ auth: { scheme: 'header', name: 'x-key' }, headers: { 'x-key': 'static' } }),
      {},
      'secret',
    )
    expect(request.ownHeaders['x-key']).toBe('secret')
  })

  it('goes where the URL says, in every scheme', () => {
    const url = 'https://api.example.com/bot{{credential}}/x?k={{credential}}&a=1'
    const built = (auth: Endpoint['auth']) => buildRequest(endpoint({ method: 'GET', url, auth }), { q: 1 }, 'a:b/c&d')
    expect(built({ scheme: 'url' })).toMatchObject({
      url: 'https://api.example.com/bota:b%2Fc&d/x?k=a%3Ab%2Fc%26d&a=1&q=1',
      ownHeaders: {},
      queryCredential: null,
    })
    expect(built({ scheme: 'bearer' }).ownHeaders).toEqual({ authorization: 'Bearer a:b/c&d' })
  })

  it.each([null, '..'])('fails before anything is sent where the URL cannot have it: %j', (credential) => {
    const url = 'https://api.example.com/a/{{credential}}/b'
    expect(() => buildRequest(endpoint({ url, auth: { scheme: 'url' } }), {}, credential)).toThrow(
      /cannot be completed/,
    )
  })

  it.each<Endpoint['auth']>([
    { scheme: 'bearer' },
    { scheme: 'basic', username: 'u' },
    { scheme: 'header', name: 'x-key' },
    { scheme: 'query', name: 'k' },
  ])('is not made up where there is none: %j', (auth) => {
    const request = buildRequest(endpoint({ auth, url: 'https://api.example.com/?k=own' }), {}, null)
    expect(request).toMatchObject({ url: 'https://api.example.com/?k=own', ownHeaders: {}, queryCredential: null })
  })
})

it('keeps static headers apart, since they may hold secrets; how answers are encoded is not among them', () => {
  const headers = { accept: 'text/csv', 'user-agent': 'me', 'content-type': 'application/vnd.api+json' }
  const request = buildRequest(endpoint({ headers: { ...headers, 'accept-encoding': 'zstd' } }), {}, null)
  expect(request.ownHeaders).toEqual(headers)
  expect(request.headers['accept-encoding']).toBe('gzip, br')
})
