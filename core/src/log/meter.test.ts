import { describe, expect, it } from 'vitest'
import { leaseSize, spendable, type Quota } from './meter.ts'
import type { Usage } from './segment.ts'

const FRESH: Usage = { month: '2026-01', invoked: 0, credited: 0, leased: 0 }

describe('an agent may spend', () => {
  it.each([
    [{}, 0],
    [{ leased: 10 }, 10],
    [{ leased: 10, invoked: 10 }, 0],
    [{ leased: 10, invoked: 10, credited: 3 }, 3],
  ])('of %j: %d', (usage, units) => {
    expect(spendable({ ...FRESH, ...usage })).toBe(units)
  })
})

describe('a lease', () => {
  it.each<[string, Quota, number, number]>([
    ['takes a 64th while plenty is left', { limit: 10_000, leased: 0 }, 1, 156],
    ['takes a block of 1,000 at most', { limit: 1_000_000_000, leased: 0 }, 1, 1_000],
    ['takes more than a block when more is needed', { limit: 10_000, leased: 0 }, 2_000, 2_000],
    ['takes single units towards the limit', { limit: 10_000, leased: 9_900 }, 1, 1],
    ['takes the last unit', { limit: 10_000, leased: 9_999 }, 1, 1],
    ['takes what is left when less is left than needed', { limit: 10_000, leased: 9_998 }, 5, 2],
    ['takes nothing at the limit', { limit: 10_000, leased: 10_000 }, 1, 0],
    ['takes nothing when the limit was lowered below what is leased', { limit: 10, leased: 500 }, 1, 0],
    ['takes nothing of a limit of 0', { limit: 0, leased: 0 }, 1, 0],
  ])('%s', (_, quota, needed, units) => {
    expect(leaseSize(quota, needed)).toBe(units)
  })

  it('is a whole number between 0 and what is left, whatever the quota', () => {
    for (const limit of [0, 1, 63, 64, 65, 127, 128, 10_000, 1_000_000_000]) {
      for (const leased of [0, 1, 62, 63, 64, 9_999, 999_999_999, 1_000_000_000]) {
        for (const needed of [1, 2, 256]) {
          const units = leaseSize({ limit, leased }, needed)
          const left = Math.max(0, limit - leased)
          expect(
            Number.isInteger(units) && units <= left && units >= Math.min(left, needed),
            `${limit} ${leased} ${needed}: ${units}`,
          ).toBe(true)
        }
      }
    }
  })
})

/**
 * Agents on one quota document, which changes by compare-and-swap, like a Firestore document with a precondition. In
 * every step one agent, picked at random, reads the quota, commits what it read some steps ago, or dies with its leased
 * units.
 */
function simulate(seed: number, agents: number, limit: number): { quota: Quota; spent: number; lost: number } {
  const random = randomFrom(seed)
  const quota = { limit, leased: 0 }
  const usages = Array.from({ length: agents }, () => ({ ...FRESH }))
  const read: (Quota | undefined)[] = Array.from({ length: agents })
  let spent = 0
  let lost = 0
  for (let step = 0; step < 60 * limit + 5_000; step++) {
    const i = Math.floor(random() * agents)
    const usage = usages[i]!
    const known = read[i]
    if (spendable(usage) > 0) {
      usage.invoked++
      spent++
      if (random() < 0.1) {
        usage.credited++
        spent--
      }
      if (random() < 0.005) {
        lost += spendable(usage)
        usages[i] = { ...FRESH }
      }
    } else if (known === undefined) {
      read[i] = { ...quota }
    } else {
      if (known.leased === quota.leased) {
        const units = leaseSize(known, 1)
        quota.leased += units
        usage.leased += units
      }
      read[i] = undefined
    }
    expect(quota.leased).toBeLessThanOrEqual(limit)
    expect(spent).toBeLessThanOrEqual(limit)
  }
  const idle = usages.reduce((sum, usage) => sum + spendable(usage), 0)
  return { quota, spent: spent + idle, lost }
}

/** Park and Miller's generator: the same run every time. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

describe('many agents at once', () => {
  it.each([
    [1, 1, 300],
    [2, 2, 300],
    [3, 16, 300],
    [4, 64, 300],
    [5, 16, 7],
    [6, 16, 1],
    [7, 5, 0],
  ])('(seed %d) %d agents never exceed a limit of %d, and lose only what died with one', (seed, agents, limit) => {
    const { quota, spent, lost } = simulate(seed, agents, limit)
    expect(quota.leased).toBe(limit)
    expect(spent + lost).toBe(limit)
  })
})
