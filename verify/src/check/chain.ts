import type { ChainLine, CheckpointLine, OpeningLine, UsageLine } from '@vitrine/core/log/bundle'
import { bytesToHex } from '@vitrine/core/bytes'
import { createCalls, type CallTotals } from './calls.ts'
import { createCheckpoints, type CheckpointTotals } from './checkpoints.ts'
import type { Findings } from './findings.ts'
import { createHeld, type Held, type HeldTotals } from './held.ts'
import { createLinks } from './links.ts'
import { createOpenings, type OpeningTotals } from './openings.ts'
import { compareRecorded, type OrgCheckpoints, type RecordedTotals } from './org-checkpoints.ts'
import type { Placed } from './placed.ts'
import type { ReadLine } from './read-line.ts'
import { createRoots, type Roots } from './roots.ts'
import { trustFor, type Trust } from './trust.ts'
import { createUsage, type MonthTotals } from './usage.ts'

/** All checks of one chain; takes its lines in order. */
export interface ChainCheck {
  readonly log: string
  entry(read: ReadLine, lineNumber: number): void
  other(line: CheckpointLine | OpeningLine | UsageLine, lineNumber: number): void
  /** Waits for pending signature checks. Call it regularly, or they accumulate. */
  settle(): Promise<void>
  /** `lineNumber` is that of the line after the chain. */
  finish(lineNumber: number): Promise<ChainTotals>
}

export interface ChainTotals {
  log: string
  orgId: string
  origin: string
  size: number
  head: string
  /** Entries read; differs from `size` only if there is a finding. */
  entries: number
  firstTs: string | undefined
  lastTs: string | undefined
  checkpoints: CheckpointTotals
  calls: CallTotals
  openings: OpeningTotals
  usage: MonthTotals[]
  held: HeldTotals
  /** This chain's checkpoints that the organization's chain recorded. */
  recorded: RecordedTotals
}

export interface ChainContext {
  openings: boolean
  trust: Trust
  held: Held
  org: OrgCheckpoints
  findings: Findings
}

export function createChainCheck(
  chain: ChainLine,
  { openings: included, trust, held, org, findings }: ChainContext,
): ChainCheck {
  const { log, orgId, origin, size, head } = chain
  const logTrust = trustFor(origin, trust)
  const roots: Roots = createRoots()
  const recorded = org.take(log)
  for (const recordedSize of recorded.keys()) roots.want(recordedSize)
  const links = createLinks(log, findings)
  const checkpoints = createCheckpoints(chain, logTrust, roots, findings)
  const calls = createCalls(log, findings)
  const openings = createOpenings(log, included, findings)
  const usage = createUsage(log, findings)
  const outside = createHeld(chain, held, logTrust, roots, findings)
  const checks = [links, calls, openings, usage, outside, org]
  let entries = 0
  let firstTs: string | undefined
  let lastTs: string | undefined

  return {
    log,
    settle: checkpoints.settle,
    entry({ line: read, leaf }, lineNumber) {
      if (read?.type === 'entry' && read.entry.log !== log) {
        foreign('entry', read.entry.log, lineNumber)
        return
      }
      entries += 1
      const hash = leaf && bytesToHex(leaf)
      if (leaf !== undefined) roots.leaf(leaf)
      if (read?.type === 'entry' && hash !== undefined) follow({ entry: read.entry, hash, line: lineNumber })
      else links.unreadable(hash, lineNumber)
    },
    other(other, lineNumber) {
      if (other.log !== log) foreign(other.type, other.log, lineNumber)
      else if (other.type === 'checkpoint') checkpoints.checkpoint(other, lineNumber)
      else if (other.type === 'usage') usage.usage(other, lineNumber)
      else openings.opening(other, lineNumber)
    },
    async finish(lineNumber) {
      // Checks that locate a fault best report first; a wrong root says the least about its place.
      links.finish({ size, head, line: lineNumber })
      const counted = {
        calls: calls.finish(lastTs ?? '', lineNumber),
        openings: openings.finish(lineNumber),
        usage: usage.finish(lineNumber),
      }
      const signed = await checkpoints.finish(lineNumber)
      const totals = { log, orgId, origin, size, head, entries, firstTs, lastTs, checkpoints: signed, ...counted }
      const compared = compareRecorded({ log, roots, isSigned: checkpoints.has }, recorded, findings, lineNumber)
      return { ...totals, held: await outside.finish(), recorded: compared }
    },
  }

  function follow(placed: Placed): void {
    firstTs ??= placed.entry.ts
    lastTs = placed.entry.ts
    for (const check of checks) check.entry(placed)
  }

  function foreign(type: string, other: string, lineNumber: number): void {
    findings.add(
      'foreign_line',
      { log, line: lineNumber },
      `a line of type ${type} of ${other} stands among those of ${log}`,
    )
  }
}
