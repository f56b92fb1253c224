import type { Finding, Findings } from './findings.ts'

/** Entries missing from their place in one chain: they are absent, or follow later. */
export interface Gaps {
  skipped(from: number, to: number, found: { seq: number; line: number }): void
  /** True if the entry was missed earlier, which means that the entries are out of order. */
  fills(seq: number, line: number): boolean
}

/** Most gaps that are remembered to tell a reordering from a deletion. */
const GAPS_MAX = 1000

export function createGaps(log: string, findings: Findings): Gaps {
  const gaps: { from: number; to: number; finding: Finding }[] = []

  return {
    skipped(from, to, { seq, line }) {
      const range = from === to ? `entry ${from} is` : `entries ${from} to ${to} are`
      const finding = findings.add('entries_missing', { log, seq: from, line }, `${range} missing before entry ${seq}`)
      if (gaps.length < GAPS_MAX) gaps.push({ from, to, finding })
    },
    fills(seq, line) {
      const at = gaps.findIndex(({ from, to }) => seq >= from && seq <= to)
      const [gap] = at === -1 ? [] : gaps.splice(at, 1)
      if (gap === undefined) return false
      const { from, to, finding } = gap
      findings.amend(
        finding,
        'out_of_order',
        { log, seq: from },
        `entries from ${from} on do not stand in order: entry ${seq} comes on line ${line}`,
      )
      if (seq > from) gaps.push({ from, to: seq - 1, finding })
      if (seq < to) gaps.push({ from: seq + 1, to, finding })
      return true
    },
  }
}
