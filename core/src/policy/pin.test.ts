import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { callDigest } from './call-token.ts'
import { envNameProblem } from './env-names.ts'
import { isCommandEnabled } from './server-config.ts'
import {
  isExactVersion,
  isIntegrity,
  isPackageName,
  isVersionSpec,
  letsRun,
  lockfileDigest,
  pinDifference,
} from './pin.ts'
import { isId } from '../names.ts'

describe('isPackageName', () => {
  it.each(['a', 'left-pad', '@modelcontextprotocol/server-github', 'a.b_c'])('takes %s', (name) => {
    expect(isPackageName(name)).toBe(true)
  })
  it.each([
    '',
    '-g',
    '.',
    '..',
    '../x',
    './x',
    '/x',
    '@/x',
    '@a/',
    '@a/b/c',
    'A',
    'a b',
    'a;b',
    'a@1',
    'git+ssh://x',
    'a/b',
    'x.tgz',
    '@a/x.tar.gz',
    '_x',
    'a\n',
    'é',
    'a'.repeat(215),
  ])('refuses %j', (name) => {
    expect(isPackageName(name)).toBe(false)
  })
})

describe('isVersionSpec', () => {
  it.each([
    '1.2.3',
    '2026.8.31',
    '1.0.0-rc.1+build',
    '^1.2',
    '~1',
    '>=1.2 <2',
    '1 - 2',
    '1 || 2',
    '*',
    'latest',
    'next-2',
    'x',
  ])('takes %s', (version) => {
    expect(isVersionSpec(version)).toBe(true)
  })
  it.each([
    '',
    ' 1',
    '1 ',
    '-g',
    '--x',
    '.',
    './x',
    '../x',
    'a/b',
    'file:x',
    'npm:other@1',
    'git+https://x',
    'https://x',
    'x.tgz',
    'x.TGZ',
    '1;rm',
    '1$(x)',
    '1`x`',
    '1&2',
    '1\n2',
    '~/x',
    'a\\b',
    '1'.repeat(129),
  ])('refuses %j', (version) => {
    expect(isVersionSpec(version)).toBe(false)
  })
})

it('tells exact versions from ranges and tags', () => {
  for (const version of ['0.0.0', '1.2.3', '2026.8.31', '1.0.0-rc.1', '1.0.0+b'])
    expect(isExactVersion(version), version).toBe(true)
  for (const version of ['1', '1.2', '^1.2.3', 'v1.2.3', '01.2.3', 'latest', '1.2.3 ', '1.2.x', '1.0.0-', '1.2.3\n'])
    expect(isExactVersion(version), version).toBe(false)
})

it('takes integrity as npm states it', () => {
  expect(isIntegrity(`sha512-${'A'.repeat(86)}==`)).toBe(true)
  for (const text of ['', 'sha1-x', `sha512-${'A'.repeat(85)}==`, `sha512-${'A'.repeat(86)}==\n`])
    expect(isIntegrity(text)).toBe(false)
})

it('tells in what a pin differs, of what is compared', () => {
  const pin = { version: '1.0.0', integrity: 'i', dependencies: 'd', resolvedAt: '2026-01-01T00:00:00.000Z' }
  const later = { ...pin, resolvedAt: '2026-02-02T00:00:00.000Z' }
  expect(pinDifference(pin, later)).toBeNull()
  for (const field of ['version', 'integrity', 'dependencies'] as const)
    expect(pinDifference(pin, { ...pin, [field]: 'x' })).toBe(field)
})

it('tells whose scripts an installation lets run', () => {
  const scripts = ['@a/b@1.0.0', 'c@1.0.0', 'c@2.0.0-x']
  for (const asked of [
    ['@a/b', 'c'],
    ['c', '@a/b', 'c'],
  ])
    expect(letsRun({ scripts }, asked)).toBe(true)
  for (const asked of [[], ['c'], ['@a/b'], ['@a/b', 'c', 'd'], ['@a/b', 'd']])
    expect(letsRun({ scripts }, asked), asked.join()).toBe(false)
  expect(letsRun({}, undefined)).toBe(true)
  expect(letsRun({ scripts: [] }, ['c'])).toBe(false)
})

it('takes a lockfile for what it is by its text', () => {
  expect(lockfileDigest('{"é":1}')).toBe(createHash('sha256').update('{"é":1}', 'utf8').digest('hex'))
})

describe('envNameProblem', () => {
  it.each(['API_KEY', '_X', 'GITHUB_TOKEN', 'NPM_TOKEN', 'NODE_ENV', 'GIT_AUTHOR_NAME', 'LANG', 'TZ'])(
    'takes %s',
    (name) => {
      expect(envNameProblem(name)).toBeNull()
    },
  )
  it.each([
    'NODE_OPTIONS',
    'NODE_PATH',
    'NODE_EXTRA_CA_CERTS',
    'NODE_TLS_REJECT_UNAUTHORIZED',
    'LD_PRELOAD',
    'LD_LIBRARY_PATH',
    'DYLD_INSERT_LIBRARIES',
    'PATH',
    'HOME',
    'NPM_CONFIG_REGISTRY',
    'PYTHONPATH',
    'PYTHONSTARTUP',
    'BASH_ENV',
    'ENV',
    'PERL5OPT',
    'RUBYOPT',
    'JAVA_TOOL_OPTIONS',
    'GIT_SSH_COMMAND',
    'GLIBC_TUNABLES',
    'SSLKEYLOGFILE',
    'VITRINE_KEY',
  ])('reserves %s', (name) => {
    expect(envNameProblem(name)).toContain('cannot be set')
  })
  it.each(['', 'api_key', 'npm_config_registry', '1X', 'A-B', 'A=B', 'A B', 'A\n', 'A\0', 'É', 'A'.repeat(129)])(
    'refuses %j',
    (name) => {
      expect(envNameProblem(name)).toContain('Must be a name')
    },
  )
})

it('names secrets so that their ids cannot run into one another', () => {
  for (const name of ['github', 'A-1_b']) expect(isId(name)).toBe(true)
  for (const name of ['', 'a:b', 'a/b', '..', '-a', 'a b', 'a\n']) expect(isId(name)).toBe(false)
})

it('binds a call to all of its body, whatever the order', () => {
  const body = { call: 'i', server: 's', command: 'c', arguments: { a: 1, b: 'x' }, timeoutMs: 5 }
  const digest = callDigest(body)
  expect(digest).toBe(
    createHash('sha256')
      .update('{"arguments":{"a":1,"b":"x"},"call":"i","command":"c","server":"s","timeoutMs":5}')
      .digest('base64url'),
  )
  expect(callDigest({ timeoutMs: 5, arguments: { b: 'x', a: 1 }, command: 'c', server: 's', call: 'i' })).toBe(digest)
  const others = [
    { call: 'j' },
    { server: 't' },
    { command: 'd' },
    { arguments: { a: 1 } },
    { timeoutMs: 6 },
    { stream: false },
    { user: 'u' },
    { userSecrets: {} },
    { userSecrets: { A: { env: 'B' } } },
    { userSecrets: { A: { env: 'C' } } },
  ]
  expect(new Set([digest, ...others.map((changes) => callDigest({ ...body, ...changes }))]).size).toBe(
    others.length + 1,
  )
  expect(() => callDigest({ ...body, user: '\ud800' })).toThrow(TypeError)
})

it('enables all commands, those listed, or none', () => {
  expect(isCommandEnabled({ enabled: true, commands: null }, 'a')).toBe(true)
  expect(isCommandEnabled({ enabled: true, commands: ['a'] }, 'a')).toBe(true)
  expect(isCommandEnabled({ enabled: true, commands: ['a'] }, 'b')).toBe(false)
  expect(isCommandEnabled({ enabled: false, commands: null }, 'a')).toBe(false)
})
