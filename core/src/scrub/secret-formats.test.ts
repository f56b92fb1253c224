import { describe, expect, it } from 'vitest'
import { formatKey } from '../keys/key.ts'
import { replaceSecrets, SECRET_FORMATS } from './secret-formats.ts'

const shown = (text: string) => replaceSecrets(text, '#')

/** Builds secrets at run time, so that no scanner takes this file for a leak. */
const alnum = (length: number) => 'aZ3kQ9xB'.repeat(40).slice(0, length)
const hex = (length: number) => '0a9f4c7e'.repeat(20).slice(0, length)
const pem = (label: string, body = 'MIIEvQIBADANBg\nkqhkiG9w0B==') =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----`
const jwt = ['{"alg":"HS256"}', '{"sub":"1234567890"}', 'signature']
  .map((part) => Buffer.from(part).toString('base64url'))
  .join('.')

const SECRETS: [name: string, secret: string][] = [
  ...(['agent', 'tools', 'owner'] as const).map((kind): [string, string] => [
    'vitrine key',
    formatKey(kind, 'a_b-C9', new Uint8Array(32).fill(7)),
  ]),
  ...[
    'PRIVATE KEY',
    'RSA PRIVATE KEY',
    'EC PRIVATE KEY',
    'OPENSSH PRIVATE KEY',
    'ENCRYPTED PRIVATE KEY',
    'PGP PRIVATE KEY BLOCK',
  ].map((label): [string, string] => ['private key', pem(label)]),
  ['private key', pem('PRIVATE KEY').replaceAll('\n', '\\n')],
  ['age secret key', `AGE-SECRET-KEY-1${'QZ7'.repeat(20).slice(0, 58)}`],
  ['jwt', jwt],
  ['jwt', `${jwt}.${alnum(20)}.${alnum(20)}`],
  ...['AKIA', 'ASIA'].map((prefix): [string, string] => ['aws access key id', `${prefix}IOSFODNN7EXAMPLE`]),
  ...['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'].map((prefix): [string, string] => ['github token', prefix + alnum(36)]),
  ['github token', `github_pat_${alnum(22)}_${alnum(59)}`],
  ['gitlab token', `glpat-${alnum(20)}`],
  ...['xoxb-', 'xoxp-', 'xoxa-', 'xapp-1-'].map((prefix): [string, string] => [
    'slack token',
    `${prefix}123456789012-${alnum(24)}`,
  ]),
  ...['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_'].map((prefix): [string, string] => [
    'stripe key',
    prefix + alnum(24),
  ]),
  ['webhook secret', `whsec_${alnum(32)}`],
  ['openai key', `sk-${alnum(48)}`],
  ['openai key', `sk-proj-${alnum(40)}_-${alnum(40)}`],
  ['anthropic key', `sk-ant-api03-${alnum(80)}-AA`],
  ['google api key', `AIza${alnum(35)}`],
  ['google oauth token', `ya29.${alnum(60)}`],
  ['google client secret', `GOCSPX-${alnum(28)}`],
  ['npm token', `npm_${alnum(36)}`],
  ['pypi token', `pypi-${alnum(160)}`],
  ['sendgrid key', `SG.${alnum(22)}.${alnum(43)}`],
  ['twilio key', `SK${hex(32)}`],
  ['mailgun key', `key-${hex(32)}`],
  ['digitalocean token', `dop_v1_${hex(64)}`],
  ['hugging face token', `hf_${'abcDEF'.repeat(6)}`],
  ['vault token', `hvs.${alnum(90)}`],
  ['shopify token', `shpat_${hex(32)}`],
  ['docker token', `dckr_pat_${alnum(27)}`],
  ['telegram bot token', `123456789:AA${alnum(33)}`],
  ...['4111111111111111', '4111 1111 1111 1111', '5500-0000-0000-0004', '378282246310005', '6011000990139424'].map(
    (card): [string, string] => ['card number', card],
  ),
]

/** Secrets without a format of their own, identified by the text before and after them. */
const IN_CONTEXT: [name: string, before: string, secret: string, after: string][] = [
  ['aws secret access key', 'aws_secret_access_key = ', `${alnum(38)}/+`, '\n'],
  ['aws secret access key', '"SecretAccessKey": "', alnum(40), '"'],
  ['azure account key', 'AccountName=x;AccountKey=', `${alnum(86)}==`, ';EndpointSuffix=y'],
  ['slack webhook', 'https://hooks.slack.com/services/', `T0000/B0000/${alnum(24)}`, ' '],
  ['authorization header', 'Authorization: Bearer ', 'opaque', '\r\nAccept: x'],
  ['authorization header', "-H 'authorization: Basic ", 'dXNlcjpwYXNz', "'"],
  ['authorization header', '{"Authorization":"', 'a1b2c3d4e5', '"}'],
  ['bearer token', 'sent Bearer ', 'abc123def456', ', then'],
  ['basic credentials', 'sent Basic ', Buffer.from('u:p').toString('base64'), ' then'],
  ['password in a URL', 'postgres://admin:', 'p@ss:w%2Frd', '@db.example.com:5432/x'],
  ['password in a URL', 'redis://:', 'hunter2', '@10.0.0.1'],
  ['secret in a query', 'https://x.test/?a=1&access_token=', 'opaque', '&b=2'],
  ['secret in a query', '/path?api_key=', 'opaque', '#top'],
]

describe('replaceSecrets', () => {
  it.each(SECRETS)('replaces just the %s %s', (_, secret) => {
    for (const [before, after] of [
      ['', ''],
      ['see ', ' there'],
      ['{"k":"', '"}'],
      ['a=', ';'],
      ['(', ').'],
      ['é', '漢'],
      ['x\n', '\ny'],
    ] as const) {
      expect(shown(before + secret + after)).toBe(`${before}#${after}`)
    }
    expect(shown(`${secret} and ${secret}`)).toBe('# and #')
  })

  it.each(IN_CONTEXT)('replaces just the %s after %s', (_, before, secret, after) => {
    expect(shown(before + secret + after)).toBe(`${before}#${after}`)
    expect(shown(`${before}${secret}${after} ${before}${secret}${after}`)).toBe(`${before}#${after} ${before}#${after}`)
  })

  it('has a case here for every format', () => {
    expect(new Set([...SECRETS, ...IN_CONTEXT].map(([name]) => name))).toEqual(
      new Set(SECRET_FORMATS.map(({ name }) => name)),
    )
  })

  it('replaces a private key that is cut off', () => {
    expect(shown('k: -----BEGIN RSA PRIVATE KEY-----\nMIIEvQ')).toBe('k: #')
    expect(shown(`${pem('EC PRIVATE KEY')} and ${pem('PRIVATE KEY')}.`)).toBe('# and #.')
  })

  it.each([
    'f47ac10b-58cc-4372-a567-0e02b2c3d479',
    hex(32),
    hex(40),
    hex(64),
    alnum(44),
    `sha256-${alnum(43)}=`,
    'The bearer of good news',
    'Bearer authentication',
    'Basic authentication is basic',
    'basic auth',
    'authorization: required',
    'https://example.com:8080/a@b',
    'https://user@example.com/',
    'mailto:a@b.test',
    'a@b.c:d',
    'https://x.test/?tokens=1&q=password',
    'pk_live_51Hc0QkZx9RtYw7',
    'sk-learn',
    'sk-loading-spinner-container-element',
    'skin',
    `cache-key-${hex(32)}`,
    'key-value',
    'npm_config_registry',
    'hf_hub_download',
    'github_pat_',
    'AKIA',
    'BAKIAIOSFODNN7EXAMPLE',
    'eyJ.a.b',
    'SG.short.one',
    'agent.a.b',
    `agent.a.${alnum(30)}`,
    pem('PUBLIC KEY'),
    pem('CERTIFICATE'),
    '4111111111111112',
    '1700000000000000',
    '1234567890123456',
    '41111111111111111',
    '4.111111111111111',
    'ssh-ed25519 AAAAC3NzaC1',
    '2026-11-20T13:26:33.000Z',
    'xox',
    'xoxo-xoxo',
    'pypi-simple',
    '[redacted]',
    '',
  ])('leaves %s', (text) => expect(shown(text)).toBe(text))

  it('changes nothing the second time', () => {
    const once = replaceSecrets(
      [...SECRETS.map(([, secret]) => secret), ...IN_CONTEXT.map((row) => row.slice(1).join(''))].join(' \n'),
      '[redacted]',
    )
    expect(replaceSecrets(once, '[redacted]')).toBe(once)
  })

  it('takes time linear in texts that are made against it', () => {
    // Beginnings of every format over and over, and long runs that end in what does not fit. Quadratic time takes
    // minutes for these.
    const beginnings = [
      'eyJ',
      'eyJaaaaaaaaaa',
      'eyJaaaaaaaaaa.',
      '-----BEGIN PRIVATE KEY-----',
      '-----BEGIN ',
      '://',
      '://a:',
      'a:',
      ':a',
      '@',
      '?token=',
      '?tokentoken',
      '&',
      'authorization',
      'authorization: ',
      'bearer ',
      'bearer          ',
      'basic a',
      'secret_key= ',
      'secret',
      'ghp_',
      'github_pat_',
      'sk-',
      'sk-ant-',
      'xoxb-',
      'hooks.slack.com/services/',
      'agent.',
      'agent.a.',
      'SG.',
      'pypi-',
      'AIza',
      '4111 ',
      '4',
      '1',
      'a',
      ' ',
      '-',
      '.',
      '/',
      '_',
      'key-',
      'hf_',
      'AccountKey=',
      'whsec_',
      'SK0',
      'hvs.',
    ]
    for (const beginning of beginnings) {
      for (const end of ['', '!', '"', 'é', '_', '0'])
        shown(beginning.repeat(Math.ceil(250_000 / beginning.length)) + end)
    }
  }, 20_000)
})
