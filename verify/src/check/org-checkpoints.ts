import { bytesToHex } from '@vitrine/core/bytes'
import type { Findings } from './findings.ts'
import type { Placed } from './placed.ts'
import type { Roots } from './roots.ts'

/**
 * The checkpoints of agents that the organization's chain recorded. That chain comes first in a bundle, so the sizes at
 * which to recompute an agent's root are known before its chain is read. Memory: each recorded root, until its chain
 * has been read.
 */
export interface OrgCheckpoints {
  entry(placed: Placed): void
  /** Returns and forgets what was recorded of a chain that is about to be read. */
  take(log: string): RecordedRoots
  /** Reports recorded chains that the bundle lacks. `lineNumber` is that of the bundle's last line. */
  finish(lineNumber: number): void
}

/** Recorded roots by tree size. */
export type RecordedRoots = ReadonlyMap<number, RecordedRoot>

interface RecordedRoot {
  /** Hex. */
  root: string
  /** The entry that recorded it. */
  log: string
  seq: number
  line: number
}

export interface RecordedTotals {
  count: number
  /** Recorded, but the bundle has no signed checkpoint of that size: it may not have been signed yet. */
  unsigned: number
}

/** `scope` is the bundle's. An agent's bundle has no such entries. */
export function createOrgCheckpoints(scope: string, findings: Findings): OrgCheckpoints {
  const org = scope.startsWith('orgs/') ? scope : undefined
  const recorded = new Map<string, Map<number, RecordedRoot>>()

  return {
    entry({ entry: { action, log, seq, target, meta }, line }) {
      if (action !== 'checkpoint') return
      const { size, root } = meta
      const place = { log, seq, line }
      if (log !== org) {
        findings.add('org_checkpoint_malformed', place, 'only the chain of an org records checkpoints')
      } else if (target === log || typeof size !== 'number' || size < 1 || typeof root !== 'string') {
        findings.add(
          'org_checkpoint_malformed',
          place,
          'the checkpoint entry does not say of which agent, size and root it is',
        )
      } else if ((recorded.get(target)?.get(size)?.root ?? root) !== root) {
        findings.add(
          'org_checkpoint_mismatch',
          place,
          `the org recorded two roots of ${target} at ${size} entries: two histories were shown`,
        )
      } else {
        keep(target, size, { root, log: org, seq, line })
      }
    },
    take(log) {
      const roots = recorded.get(log) ?? new Map<number, RecordedRoot>()
      recorded.delete(log)
      return roots
    },
    finish(lineNumber) {
      for (const [target, roots] of recorded) {
        const { log, seq, line } = roots.values().next().value!
        findings.add(
          'chain_missing',
          { log, seq, line },
          `the org recorded a checkpoint of ${target}, whose chain does not follow in the bundle`,
          lineNumber,
        )
      }
    },
  }

  function keep(target: string, size: number, root: RecordedRoot): void {
    const roots = recorded.get(target)
    if (roots === undefined) recorded.set(target, new Map([[size, root]]))
    else roots.set(size, root)
  }
}

/**
 * Compares a chain with what was recorded of it. `roots` has the chain's roots at the recorded sizes. `isSigned`:
 * whether the bundle has a checkpoint of that size, valid or not. `lineNumber` is that of the line after the chain.
 */
export function compareRecorded(
  chain: { log: string; roots: Roots; isSigned(size: number): boolean },
  recorded: RecordedRoots,
  findings: Findings,
  lineNumber: number,
): RecordedTotals {
  let unsigned = 0
  for (const [size, { root, log, seq, line }] of recorded) {
    if (!chain.isSigned(size)) unsigned += 1
    const real = chain.roots.rootAt(size)
    if (real === undefined) {
      const message = `the org recorded a checkpoint of ${chain.log} at ${size} entries, its chain here has fewer`
      findings.add('org_checkpoint_beyond_chain', { log, seq, line }, message, lineNumber)
    } else if (bytesToHex(real) !== root) {
      const message = `the org recorded another root of ${chain.log} at ${size} entries than its chain here has: two histories were shown`
      findings.add('org_checkpoint_mismatch', { log, seq, line }, message, lineNumber)
    }
  }
  return { count: recorded.size, unsigned }
}
