import { expect, test } from 'vitest'
import { createBackoff } from './backoff.ts'

test('waits double up to the bound, each shortened by half at most', () => {
  const backoff = createBackoff(100, 1_000)
  for (const full of [100, 200, 400, 800, 1_000, 1_000]) {
    const ms = backoff.nextMs()
    expect(ms).toBeGreaterThan(full / 2 - 1)
    expect(ms).toBeLessThanOrEqual(full)
  }
  for (let n = 0; n < 2_000; n++) backoff.nextMs()
  expect(backoff.nextMs()).toBeLessThanOrEqual(1_000)
  backoff.reset()
  expect(backoff.nextMs()).toBeLessThanOrEqual(100)
})
