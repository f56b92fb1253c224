import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { createRecentCalls } from './recent-calls.ts'

test('remembers the last half million calls at least, and forgets older ones', { timeout: 60_000 }, () => {
  const calls = createRecentCalls()
  const first = Array.from({ length: 1000 }, () => randomUUID())
  for (const call of first) calls.add(call)
  for (let n = 0; n < 500_000; n++) calls.add(`later ${n}`)
  expect(first.every((call) => calls.has(call))).toBe(true)
  for (let n = 500_000; n < 1_200_000; n++) calls.add(`later ${n}`)
  expect(first.some((call) => calls.has(call))).toBe(false)
  expect(calls.has('later 1199999')).toBe(true)
})

test('takes no call for another', () => {
  const calls = createRecentCalls()
  expect(calls.has('')).toBe(false)
  for (let n = 0; n < 100_000; n++) calls.add(`call ${n}`)
  for (let n = 0; n < 100_000; n++) {
    if (calls.has(`other ${n}`)) throw new Error(`other ${n}`)
    if (!calls.has(`call ${n}`)) throw new Error(`call ${n}`)
  }
})
