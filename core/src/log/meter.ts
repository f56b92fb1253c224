import type { Usage } from './segment.ts'

/** `owners/{uid}/quota/{YYYY-MM}`: the limit and what all of the owner's chains have leased of it. Units of `tools.invoke`. */
export interface Quota {
  limit: number
  leased: number
}

/** Units an agent may still spend without asking the owner's quota. */
export function spendable(usage: Usage): number {
  return usage.leased - (usage.invoked - usage.credited)
}

/**
 * How many units to lease when `needed` are missing. Blocks of a 64th of what is left spare the shared quota document
 * while there is plenty; towards the limit they shrink to what is needed, so that little is stranded with idle agents.
 * At most what is left: the limit is never exceeded.
 */
export function leaseSize(quota: Quota, needed: number): number {
  const left = Math.max(0, quota.limit - quota.leased)
  return Math.min(left, Math.max(needed, Math.min(LEASE_BLOCK_MAX, Math.floor(left / 64))))
}

const LEASE_BLOCK_MAX = 1_000
