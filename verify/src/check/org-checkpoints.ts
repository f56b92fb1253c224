import { bytesToHex } from '@vitrine/core/bytes'
import type { Findings, Place } from './findings.ts'
import type { Placed } from './placed.ts'
import type { Roots } from './roots.ts'

/** A chain whose entries have been read. */
export interface KnownChain {
  origin: string
  size: number
  roots: Roots
  hasCheckpoint(size: number): boolean
}

/**
 * Compares what the org's chain recorded of the agents' checkpoints with the agents' chains, which stand before it in a
 * bundle. A root can be compared where it was recomputed: at the sizes that were known beforehand.
 */
export interface OrgCheckpoints {
  entry(placed: Placed): void
  finish(): RecordedTotals
}

export interface RecordedTotals {
  count: number
  /** Without a signed checkpoint of that size in the bundle: it may not have been signed yet. */
  unsigned: number
  /** Whose root could not be compared with the entries, as the size was not known in time. */
  uncompared: number
}

const MISSING_MAX = 1000

export function createOrgCheckpoints(log: string, chains: ReadonlyMap<string, KnownChain>, findings: Findings): OrgCheckpoints {
  const missing = new Set<string>()
  const totals: RecordedTotals = { count: 0, unsigned: 0, uncompared: 0 }

  return {
    finish: () => totals,
    entry({ entry: { action, seq, target, meta }, line }) {
      if (action !== 'checkpoint') return
      totals.count += 1
      const { size, root } = meta
      const place = { log, seq, line }
      const chain = chains.get(target)
      if (typeof size !== 'number' || typeof root !== 'string' || target === log) {
        findings.add('org_checkpoint_malformed', place, 'the checkpoint entry does not say of which agent, size and root it is')
      } else if (chain === undefined) {
        reportMissing(target, place)
      } else if (size > chain.size) {
        const message = `the org recorded a checkpoint of ${target} at ${size} entries, its chain here has ${chain.size}: cut off, or exported before it grew`
        findings.add('org_checkpoint_beyond_chain', place, message)
      } else {
        compare(chain, target, size, root, place)
      }
    },
  }

  /** Once for each chain, and not without end. */
  function reportMissing(target: string, place: Place): void {
    if (missing.has(target) || missing.size >= MISSING_MAX) return
    missing.add(target)
    findings.add('chain_missing', place, `the org recorded a checkpoint of ${target}, which is not in the bundle`)
  }

  function compare({ roots, hasCheckpoint }: KnownChain, target: string, size: number, root: string, place: Place): void {
    if (!hasCheckpoint(size)) totals.unsigned += 1
    const real = roots.rootAt(size)
    if (real === undefined) totals.uncompared += 1
    else if (bytesToHex(real) !== root) {
      const message = `the org recorded another root of ${target} at ${size} entries than its chain here has: two histories were shown`
      findings.add('org_checkpoint_mismatch', place, message)
    }
  }
}
