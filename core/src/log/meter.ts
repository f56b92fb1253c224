import type { Usage } from './segment.ts'

/**
 * `owners/{uid}/quota/{YYYY-MM}`: the limit, and the units that the owner's chains have leased. Units are those of
 * `tools.invoke`.
 */
export interface Quota {
  limit: number
  leased: number
}

/** Units an agent may still spend without asking the owner's quota. */
export function spendable(usage: Usage): number {
  return usage.leased - (usage.invoked - usage.credited)
}

/**
 * How many units to lease when `needed` are missing. While much is left, agents lease a 64th of it at once and seldom
 * write the shared quota document; near the limit they lease just what they need, so that idle agents hold few unused
 * units. Never more than is left, so the limit is never exceeded.
 */
export function leaseSize(quota: Quota, needed: number): number {
  const left = Math.max(0, quota.limit - quota.leased)
  return Math.min(left, Math.max(needed, Math.min(LEASE_BLOCK_MAX, Math.floor(left / 64))))
}

const LEASE_BLOCK_MAX = 1_000
