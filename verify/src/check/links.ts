import { GENESIS_PREV } from '@vitrine/core/log/entry'
import type { Finding, Findings } from './findings.ts'
import { createGaps } from './gaps.ts'
import type { Placed } from './placed.ts'

/** Follows seq, prev and ts along one chain, and infers from a break's neighbours what was done there. */
export interface Links {
  entry(placed: Placed): void
  /** An entry that can't be parsed, and its hash if it has one, so that the chain can be followed through it. */
  unreadable(hash: string | undefined, line: number): void
  finish(expected: { size: number; head: string; line: number }): void
}

export function createLinks(log: string, findings: Findings): Links {
  const gaps = createGaps(log, findings)
  let next = 0
  let lastTs = ''
  let lastLine = 0
  /** Hashes that the next entry may link to; undefined if the previous entry was unreadable. */
  let heads: string[] | undefined = [GENESIS_PREV]
  /** Hashes that the previous entry could link to. */
  let headsBefore: string[] | undefined
  /** A broken link before the last entry, which the next entry may explain. */
  let recent: Finding | undefined

  return {
    entry(placed) {
      const { seq, prev, ts } = placed.entry
      if (seq < next) return late(placed)
      if (seq > next) gaps.skipped(next, seq - 1, { seq, line: placed.line })
      const linked = seq > next || heads === undefined || heads.includes(prev)
      recent = linked ? undefined : broken(placed)
      if (ts < lastTs) {
        findings.add(
          'clock_rollback',
          { log, seq, line: placed.line },
          `entry ${seq} is dated ${ts}, earlier than the entry before it (${lastTs})`,
        )
      } else {
        lastTs = ts
      }
      step(seq, placed.hash, placed.line)
    },
    unreadable(hash, line) {
      recent = undefined
      step(next, hash, line)
    },
    finish({ size, head, line }) {
      if (next < size)
        findings.add('chain_short', { log, seq: next, line }, `the chain ends after ${next} of ${size} entries`)
      if (next > size)
        findings.add('chain_long', { log, seq: size, line }, `the chain has ${next} entries, ${size} are announced`)
      if (next !== size || heads === undefined || heads.includes(head)) return
      if (size === 0) findings.add('head_mismatch', { log, line }, 'the head of an empty chain is not 64 zeros')
      else
        findings.add(
          'head_mismatch',
          { log, seq: size - 1, line: lastLine },
          `entry ${size - 1}, the last, does not have the announced hash`,
        )
    },
  }

  function step(seq: number, hash: string | undefined, line: number): void {
    next = seq + 1
    headsBefore = heads
    heads = hash === undefined ? undefined : [hash]
    lastLine = line
  }

  /**
   * An entry in its place that does not link to the previous one. The previous one is blamed unless the next break
   * shows otherwise.
   */
  function broken({ entry: { seq, prev }, line }: Placed): Finding | undefined {
    if (seq === 0)
      return findings.add(
        'link_broken',
        { log, seq, line },
        'entry 0 does not start the chain: its "prev" is not 64 zeros',
      )
    const before = seq - 1
    const place = { log, seq: before, line: lastLine }
    if (recent?.code === 'link_broken') {
      findings.amend(
        recent,
        'link_broken',
        place,
        `entry ${before} fits neither the entry before it nor the one after it`,
      )
      return undefined
    }
    if (headsBefore?.includes(prev) === true) {
      return findings.add('entry_inserted', place, `entry ${before} stands between two entries that link to each other`)
    }
    return findings.add('link_broken', place, `entry ${before} does not have the hash that entry ${seq} links to`)
  }

  /** An entry whose sequence number was already passed. Later entries are judged as if it were not there. */
  function late({ entry: { seq, prev }, hash, line }: Placed): void {
    if (gaps.fills(seq, line)) return
    const message = `there is more than one entry ${seq}`
    if (seq === next - 1 && headsBefore?.includes(prev) === true) {
      // Either of the two may be the inserted one, so the next entry may link to either.
      heads = [...(heads ?? []), hash]
      if (recent !== undefined) {
        findings.amend(recent, 'entry_repeated', { log, seq, line: lastLine }, message)
        recent = undefined
        return
      }
    }
    findings.add('entry_repeated', { log, seq, line }, message)
  }
}
