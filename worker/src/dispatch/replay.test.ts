import { expect, test } from 'vitest'
import { createSeenCalls } from './replay.ts'

test('a call is new once, until its token is worth nothing any more', () => {
  let now = 0
  const seen = createSeenCalls(() => now)
  expect([seen.add('a', 100), seen.add('a', 100), seen.add('b', 100)]).toEqual(['new', 'seen', 'new'])
  now = 99
  expect(seen.add('a', 100)).toBe('seen')
  now = 100
  expect(seen.add('a', 200)).toBe('new')
})

test('what cannot be remembered is not let through, and what expired makes room', () => {
  let now = 0
  const seen = createSeenCalls(() => now, 3)
  expect(['a', 'b', 'c', 'd'].map((call, i) => seen.add(call, 100 + i))).toEqual(['new', 'new', 'new', 'full'])
  expect(seen.add('a', 100)).toBe('seen')
  now = 101
  expect([seen.add('d', 200), seen.add('e', 200), seen.add('c', 102), seen.add('f', 200)]).toEqual([
    'new',
    'new',
    'seen',
    'full',
  ])
})
