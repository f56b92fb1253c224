import { describe, expect, it } from 'vitest'
import { HEADERS_MAX, HEADER_VALUE_LENGTH_MAX, TOKEN_BYTES_MAX, URL_LENGTH_MAX } from '@vitrine/core/limits'
import type { AuthScheme } from '@vitrine/core/tool'
import { readEgressPolicy, STRICT } from './policy.ts'
import { checkAuth, checkCredential, checkHeaders, checkUrl } from './registration.ts'

const LISTED = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,::1/128' })
const codeOf = (result: { ok: true } | { ok: false; error: { code: string } }) => (result.ok ? 'ok' : result.error.code)

describe('checkUrl', () => {
  it.each([
    ['https://api.example.com', 'https://api.example.com/'],
    ['HTTPS://API.Example.COM:443/v1/Search?q=a%20b&c', 'https://api.example.com/v1/Search?q=a%20b&c'],
    ['https://api.example.com:8080/a/../b#fragment', 'https://api.example.com:8080/b'],
    ['https://bücher.example/', 'https://xn--bcher-kva.example/'],
    ['https://api.example.com/a@b?c@d', 'https://api.example.com/a@b?c@d'],
    ['https://[2606:4700::1]/', 'https://[2606:4700::1]/'],
    ['https://8.8.8.8/', 'https://8.8.8.8/'],
  ])('takes %s', (text, href) => expect(checkUrl(text, STRICT)).toEqual({ ok: true, value: href }))

  it.each([
    '',
    ' ',
    'example.com',
    '/path',
    '//example.com/',
    'https:',
    'https:/example.com',
    'https:example.com',
    'https:///example.com',
    'https://',
    'https://?q',
    'https://#f',
    'ftp://example.com/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'data:text/plain,x',
    'gopher://example.com/',
    'ws://example.com/',
    'unix:/run/docker.sock',
    'blob:https://example.com/x',
    'https://user:pass@example.com/',
    'https://user@example.com/',
    'https://:pass@example.com/',
    'https://@example.com/',
    'https://a@b@example.com/',
    'https://example.com\\@evil.example/',
    'https:\\\\example.com\\',
    'https://example.com\\.evil.example/',
    'https://example.com/\\..\\x',
    ' https://example.com/',
    'https://example.com/ ',
    'https://exa\tmple.com/',
    'https://example.com/\r\nHost: x',
    'https://exam ple.com/',
    'https://example.com/\0',
    'https://example.com:99999/',
    'https://example.com:x/',
    'https://exa<mple.com/',
    'https://%00/',
    'https://256.1.1.1/',
    'https://1.2.3.4.5/',
    'https://[::1',
    'https://[fe80::1%25eth0]/',
    'https://[not-an-address]/',
    `https://example.com/${'a'.repeat(URL_LENGTH_MAX)}`,
    `https://example.com/${'é'.repeat(URL_LENGTH_MAX / 2 - 20)}`,
  ])('refuses %j as invalid', (text) => {
    expect(codeOf(checkUrl(text, STRICT))).toBe('invalid_url')
    expect(codeOf(checkUrl(text, LISTED))).toBe('invalid_url')
  })

  // bypass.test.ts covers which addresses tools may have.
  it('says what is wrong with a scheme and a port, and nothing more of an address', () => {
    expect(checkUrl('http://api.example.com/', STRICT)).toMatchObject({
      error: { code: 'blocked_url', message: expect.stringContaining('use https') as string },
    })
    expect(checkUrl('https://api.example.com:25/', STRICT)).toMatchObject({
      error: { code: 'blocked_url', message: expect.stringContaining('Port 25') as string },
    })
    expect(checkUrl('https://10.0.0.1/', STRICT)).toEqual({
      ok: false,
      error: { code: 'blocked_url', details: { field: 'url' } },
    })
  })

  it('does not repeat a URL with credentials in its message', () => {
    expect(JSON.stringify(checkUrl('https://user:hunter2@example.com/', STRICT))).not.toContain('hunter2')
  })
})

describe('checkHeaders', () => {
  it('lower-cases names and trims values', () => {
    expect(
      checkHeaders({
        'X-Api-Version': ' 2024-01-01\t',
        Cookie: 'a=b',
        Accept: 'application/vnd.github+json',
        'user-agent': 'me',
        "x!#$%&'*+.^_`|~-": '',
        'X-Latin': 'é',
      }),
    ).toEqual({
      ok: true,
      value: {
        'x-api-version': '2024-01-01',
        cookie: 'a=b',
        accept: 'application/vnd.github+json',
        'user-agent': 'me',
        "x!#$%&'*+.^_`|~-": '',
        'x-latin': 'é',
      },
    })
  })

  it.each([
    'Host',
    'CONNECTION',
    'keep-alive',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Content-Length',
    'Content-Encoding',
    'Accept-Encoding',
    'Expect',
    'Authorization',
    'Proxy-Authorization',
    'Proxy-Connection',
    'Metadata-Flavor',
    'Metadata',
    'X-Google-Metadata-Request',
    'X-aws-ec2-metadata-token',
    'X-aws-ec2-metadata-token-ttl-seconds',
  ])('refuses the header %s', (name) => expect(codeOf(checkHeaders({ [name]: 'x' }))).toBe('invalid_argument'))

  it.each(['', ' ', 'a b', 'a:b', 'a\r\nb', 'é', 'a\0', '(a)', '__x', '__proto__', 'a'.repeat(101)])(
    'refuses the name %j',
    (name) =>
      expect(codeOf(checkHeaders(JSON.parse(`{${JSON.stringify(name)}:"x"}`) as Record<string, string>))).toBe(
        'invalid_argument',
      ),
  )

  it.each(['a\r\nX-Evil: 1', 'a\nb', 'a\rb', 'a\0b', '\n', 'a\x7f', 'Ā', 'a'.repeat(HEADER_VALUE_LENGTH_MAX + 1)])(
    'refuses the value %j',
    (value) => expect(codeOf(checkHeaders({ 'x-a': value }))).toBe('invalid_argument'),
  )

  it('refuses names that differ in case alone, and too many', () => {
    expect(codeOf(checkHeaders({ 'X-A': '1', 'x-a': '2' }))).toBe('invalid_argument')
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, '']))
    expect(codeOf(checkHeaders(many(HEADERS_MAX)))).toBe('ok')
    expect(codeOf(checkHeaders(many(HEADERS_MAX + 1)))).toBe('invalid_argument')
  })

  it('says which header, and nothing of its value', () => {
    const result = checkHeaders({ 'X-Bad': 'hunter2\n' })
    expect(result).toMatchObject({
      error: { message: expect.stringContaining('"X-Bad"') as string, details: { field: 'headers' } },
    })
    expect(JSON.stringify(result)).not.toContain('hunter2')
  })
})

describe('checkAuth', () => {
  it.each<[AuthScheme, AuthScheme]>([
    [{ scheme: 'bearer' }, { scheme: 'bearer' }],
    [{ scheme: 'basic' }, { scheme: 'basic' }],
    [
      { scheme: 'basic', username: 'älice' },
      { scheme: 'basic', username: 'älice' },
    ],
    [
      { scheme: 'header', name: 'X-API-Key' },
      { scheme: 'header', name: 'x-api-key' },
    ],
    [
      { scheme: 'header', name: 'Authorization' },
      { scheme: 'header', name: 'authorization' },
    ],
    [
      { scheme: 'query', name: 'api key[]' },
      { scheme: 'query', name: 'api key[]' },
    ],
  ])('takes %j', (auth, checked) => expect(checkAuth(auth)).toEqual({ ok: true, value: checked }))

  it.each<AuthScheme>([
    { scheme: 'basic', username: 'a:b' },
    { scheme: 'basic', username: 'a\n' },
    { scheme: 'header', name: '' },
    { scheme: 'header', name: 'Host' },
    { scheme: 'header', name: 'proxy-authorization' },
    { scheme: 'header', name: 'a\r\nb' },
    { scheme: 'header', name: 'metadata-flavor' },
    { scheme: 'query', name: '' },
    { scheme: 'query', name: 'a\0' },
    { scheme: 'query', name: '\ud800' },
    { scheme: 'query', name: 'a'.repeat(101) },
  ])('refuses %j', (auth) => expect(codeOf(checkAuth(auth))).toBe('invalid_argument'))
})

describe('checkCredential', () => {
  const bearer: AuthScheme = { scheme: 'bearer' }
  const pair: AuthScheme = { scheme: 'basic' }
  const user: AuthScheme = { scheme: 'basic', username: 'bot' }
  const header: AuthScheme = { scheme: 'header', name: 'x-api-key' }
  const authorization: AuthScheme = { scheme: 'header', name: 'authorization' }
  const query: AuthScheme = { scheme: 'query', name: 'key' }

  it.each<[AuthScheme, string]>([
    [bearer, 'Token abc.DEF-123/é'],
    [bearer, 'Zm9vYmFy+/=='],
    [bearer, 'bearerless-token'],
    [header, 'Token abc.DEF-123/é'],
    [header, 'a'.repeat(TOKEN_BYTES_MAX)],
    [authorization, 'Bot MTk4.Cl2FMQ'],
    [authorization, 'Bearer abcdefgh12345'],
    [authorization, 'Basic dTpw'],
    [pair, 'user:pa ss"wörd鍵:='],
    [pair, 'user:'],
    [pair, ':pat'],
    [pair, 'basic:x'],
    [user, 'no colon needed'],
    [user, '鍵'],
    [query, 'a鍵&b=c'],
    [query, 'keychain'],
  ])('takes what the scheme can send: %j %j', (auth, token) => {
    expect(checkCredential(auth, token)).toEqual({ ok: true, value: token })
  })

  const schemes = [bearer, pair, user, header, query]
  const pasted = [
    'k:1\n',
    '\nk:1',
    'k:1\r\nX-Evil: 1',
    'k:\0',
    'k:\x7f',
    'k:\x85',
    'k:\u2028x',
    ' k:1',
    'k:1 ',
    '\tk:1',
    'k:1\u00a0',
    'k:1\u200b',
    '\ufeffk:1',
    '"k:1"',
    "'k:1'",
    '“k:1”',
    'k:\ud800',
  ]
  it.each(schemes.flatMap((auth) => ['', ...pasted].map((token) => [auth, token] as const)))(
    'refuses in every scheme what came along: %j %j',
    (auth, token) => {
      const checked = checkCredential(auth, token)
      expect(checked).toMatchObject({ error: { code: 'invalid_argument', details: { field: 'authToken' } } })
      if (token !== '') expect(JSON.stringify(checked)).not.toContain(token)
    },
  )

  it.each<[AuthScheme, string]>([
    [bearer, 'Bearer abcdefgh12345'],
    [bearer, 'bearer: abcdefgh12345'],
    [bearer, 'Authorization: Bearer abcdefgh12345'],
    [bearer, 'Basic dTpw'],
    [bearer, '鍵'],
    [header, '鍵'],
    [header, 'X-API-Key: abc'],
    [header, 'Authorization: abc'],
    [pair, 'abcdefgh12345'],
    [pair, 'Basic dTpw'],
    [pair, 'Basic user:password'],
    [pair, 'Authorization: Basic dTpw'],
    [user, 'Basic dTpw'],
    [user, 'bot:password'],
    [query, 'key=abc'],
    [query, '?key=abc'],
    [query, '&KEY=abc'],
    [query, 'Bearer abc'],
  ])('refuses what belongs to the scheme, or is not for it: %j %j', (auth, token) => {
    expect(codeOf(checkCredential(auth, token))).toBe('invalid_argument')
  })

  it('refuses what is too long in bytes', () => {
    expect(codeOf(checkCredential(query, 'é'.repeat(TOKEN_BYTES_MAX / 2 + 1)))).toBe('token_too_large')
  })
})
