import { describe, expect, it } from 'vitest'
import { classifyName } from './host-name.ts'

describe('classifyName', () => {
  it.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'app.localhost',
    'vm.c.project.internal',
    'internal',
    'printer.local',
    'router.home.arpa',
    'localhost.localdomain',
    'kubernetes',
    'kubernetes.default.svc',
    'nas.lan',
    'wiki.corp',
    'a.onion',
  ])('%j is local', (name) => expect(classifyName(name)).toBe('local'))

  it.each([
    'metadata',
    'metadata.',
    'metadata.google.internal',
    'Metadata.Google.Internal.',
    'x.metadata.google.internal',
    'instance-data',
    'instance-data.ec2.internal',
    'metadata.tencentyun.com',
    'metadata.goog',
  ])('%j is a metadata server', (name) => expect(classifyName(name)).toBe('metadata'))

  it.each([
    '',
    '.',
    '..',
    'a..b',
    '.a',
    'a..',
    'localhost..',
    'a b.com',
    'a$.com',
    '*.example.com',
    `${'a'.repeat(64)}.com`,
    `${'a.'.repeat(127)}com`,
    'bücher.example',
    '::1',
    '[::1]',
  ])('%j is no name', (name) => expect(classifyName(name)).toBe('invalid'))

  it.each([
    'example.com',
    'example.com.',
    'EXAMPLE.com',
    'internal.example.com',
    'local.example',
    'mylocal.dev',
    'notinternal.com',
    'xn--nxasmq6b.com',
    '_dmarc.example.com',
    'metadata.example.com',
    `${'a'.repeat(63)}.com`,
  ])('%j is public', (name) => expect(classifyName(name)).toBe('public'))
})
