import { bytesToHex } from '@vitrine/core/bytes'
import type { Findings } from './findings.ts'
import type { Placed } from './placed.ts'
import type { Roots } from './roots.ts'

/** A chain whose entries have been read. */
export interface KnownChain {
  origin: string
  size: number
  roots: Roots
}

/**
 * Compares what the org's chain recorded of the agents' checkpoints with the agents' chains, which stand before it in a
 * bundle. A root can be compared where a signed checkpoint of that size is in the bundle.
 */
export interface OrgCheckpoints {
  entry(placed: Placed): void
  /** Recorded checkpoints that nothing in the bundle can be compared with. */
  uncompared(): number
}

export function createOrgCheckpoints(log: string, chains: ReadonlyMap<string, KnownChain>, findings: Findings): OrgCheckpoints {
  const missing = new Set<string>()
  let uncompared = 0

  return {
    uncompared: () => uncompared,
    entry({ entry: { action, seq, target, meta }, line }) {
      if (action !== 'checkpoint') return
      const { size, root } = meta
      const place = { log, seq, line }
      const chain = chains.get(target)
      if (typeof size !== 'number' || typeof root !== 'string' || target === log) {
        findings.add('org_checkpoint_malformed', place, 'the checkpoint entry does not say of which agent, size and root it is')
      } else if (chain === undefined) {
        if (missing.size < 1000 && !missing.has(target)) {
          missing.add(target)
          findings.add('chain_missing', place, `the org recorded a checkpoint of ${target}, which is not in the bundle`)
        }
      } else if (size > chain.size) {
        const message = `the org recorded a checkpoint of ${target} at ${size} entries, its chain here has ${chain.size}: cut off, or exported before it grew`
        findings.add('org_checkpoint_beyond_chain', place, message)
      } else {
        const real = chain.roots.rootAt(size)
        if (real === undefined) uncompared += 1
        else if (bytesToHex(real) !== root) {
          const message = `the org recorded another root of ${target} at ${size} entries than its chain here has: two histories were shown`
          findings.add('org_checkpoint_mismatch', place, message)
        }
      }
    },
  }
}
