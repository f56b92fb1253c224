import { describe, expect, it } from 'vitest'
import { parseToolAddress, type ToolAddress } from './request.ts'

describe('parseToolAddress', () => {
  it.each<[string, ToolAddress]>([
    ['github', { name: 'github' }],
    ['a', { name: 'a' }],
    ['9-to_5', { name: '9-to_5' }],
    ['github__create_issue', { name: 'github', command: 'create_issue' }],
    ['github__Create.Issue-2', { name: 'github', command: 'Create.Issue-2' }],
    // The first double underscore separates; a command may hold others.
    ['github__a__b', { name: 'github', command: 'a__b' }],
    ['github___a', { name: 'github', command: '_a' }],
    [`github__${'c'.repeat(128)}`, { name: 'github', command: 'c'.repeat(128) }],
    ['github__github/list', { name: 'github', command: 'github/list' }],
    ['github__Create CIFS Share', { name: 'github', command: 'Create CIFS Share' }],
    ['github__\u00e9', { name: 'github', command: '\u00e9' }],
    ['t'.repeat(63), { name: 't'.repeat(63) }],
  ])('reads %s', (text, address) => {
    expect(parseToolAddress(text)).toEqual({ ok: true, value: address })
  })

  it.each([
    '',
    '_',
    '-a',
    '__a',
    'a__',
    'A',
    'a b',
    'a/b',
    'a.b',
    'a\n',
    'a__b\n',
    'a__b\u0000',
    'a__b\u200bc',
    'a__\u2028',
    'a__\ud800',
    '\u00e9',
    't'.repeat(64),
    `a__${'c'.repeat(129)}`,
    '..',
    '__proto__',
  ])('refuses %j', (text) => {
    expect(parseToolAddress(text)).toMatchObject({
      ok: false,
      error: { code: 'invalid_name', details: { field: 'name' } },
    })
  })
})
