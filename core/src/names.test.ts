import { describe, expect, it } from 'vitest'
import { isCommand, isId, isSha256, isToolName, monthEnd, monthOf } from './names.ts'

describe('a tool name', () => {
  it.each(['a', '0', 'search', 'create_issue', 'a-b_c', 'a-_-b', 'a_', 'a--b', 'a'.repeat(63)])('may be %s', (name) => {
    expect(isToolName(name)).toBe(true)
  })

  it.each([
    '',
    '_a',
    '-a',
    'a__b',
    '__proto__',
    'a___b',
    'a__',
    'Search',
    'sé',
    'a b',
    'a.b',
    'a/b',
    '../a',
    'a\n',
    '\na',
    'a\u0000',
    'ａ',
    'a'.repeat(64),
    `a${'_'.repeat(100_000)}`,
  ])('may not be %j', (name) => {
    expect(isToolName(name)).toBe(false)
  })
})

describe('an id', () => {
  it.each(['a', 'A9', '0-_', 'V1StGXR8_Z5jdHi6B-myT', 'a'.repeat(128)])('may be %s', (id) => {
    expect(isId(id)).toBe(true)
  })

  it.each(['', '.', '..', '-a', '_a', '__x__', 'a.b', 'a/b', 'a b', 'a\n', 'é', 'a'.repeat(129)])(
    'may not be %j',
    (id) => {
      expect(isId(id)).toBe(false)
    },
  )
})

describe('a month', () => {
  it.each([
    ['2026-01-31T23:59:59.999Z', '2026-01', '2026-02-01T00:00:00.000Z'],
    ['2026-02-01T00:00:00.000Z', '2026-02', '2026-03-01T00:00:00.000Z'],
    ['2028-02-29T12:00:00.000Z', '2028-02', '2028-03-01T00:00:00.000Z'],
    ['2026-12-31T23:59:59.999Z', '2026-12', '2027-01-01T00:00:00.000Z'],
  ])('of %s is %s and ends at %s', (instant, month, end) => {
    expect(monthOf(instant)).toBe(month)
    expect(monthEnd(month)).toBe(end)
    expect(monthOf(end)).not.toBe(month)
  })
})

it('knows a SHA-256 in lower-case hex', () => {
  expect(isSha256('0123456789abcdef'.repeat(4))).toBe(true)
  for (const text of ['', 'A'.repeat(64), 'a'.repeat(63), `${'a'.repeat(64)}\n`]) expect(isSha256(text)).toBe(false)
})

it('knows the names that MCP allows for a command', () => {
  for (const name of ['a', 'Create.Issue-2', '_', 'c'.repeat(128)]) expect(isCommand(name)).toBe(true)
  for (const name of ['', 'a b', 'a/b', 'a\n', '\u00e9', 'c'.repeat(129)]) expect(isCommand(name)).toBe(false)
})
