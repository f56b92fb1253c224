import type { OpeningLine } from '@vitrine/core/log/bundle'
import { commit } from '@vitrine/core/log/commitment'
import type { Findings } from './findings.ts'
import type { Placed } from './placed.ts'

/** Matches openings with the commitments in intents. Memory: commitments without an opening, and redactions. */
export interface Openings {
  entry(placed: Placed): void
  opening(line: OpeningLine, lineNumber: number): void
  finish(lineNumber: number): OpeningTotals
}

export interface OpeningTotals {
  /** Number of commitments that match an opening in the bundle. */
  opened: number
  redacted: Redaction[]
}

export interface Redaction {
  call: string
  /** Sequence number of the redaction entry. */
  seq: number
  reason: string
}

interface Committed {
  seq: number
  line: number
  commitment: string
}

/** `included`: whether the bundle has openings. If not, a missing one is no finding, and redactions are only listed. */
export function createOpenings(log: string, included: boolean, findings: Findings): Openings {
  const unopened = new Map<string, Committed>()
  const redacted = new Map<string, Redaction>()
  /** Openings since the last entry: an export that was resumed repeats a segment's openings. */
  const justOpened = new Map<string, Committed>()
  let opened = 0

  return {
    entry({ entry: { action, call, seq, target, meta }, line }) {
      if (justOpened.size > 0) justOpened.clear()
      if (action === 'tool.invoke.intent') {
        const commitment = meta['argsCommit']
        if (typeof commitment !== 'string')
          findings.add('commitment_missing', { log, seq, line }, 'the intent does not commit to its arguments')
        else if (included) unopened.set(call, { seq, line, commitment })
      } else if (action === 'redaction') {
        redact(target, seq, line, String(meta['reason'] ?? ''))
      }
    },

    opening({ call, salt, args }, line) {
      if (!included) {
        findings.add('misplaced_line', { log, line }, 'an opening stands in a bundle that says it has none')
        return
      }
      const committed = unopened.get(call) ?? justOpened.get(call)
      if (committed === undefined) {
        if (redacted.has(call))
          findings.add(
            'opening_redacted',
            { log, line },
            `the opening of call ${call} is there although it was redacted`,
          )
        else
          findings.add(
            'opening_unknown',
            { log, line },
            `there is an opening of call ${call}, which has no intent before it`,
          )
        return
      }
      if (commit({ salt, args }) !== committed.commitment) {
        const message = `the opening of call ${call} does not open the commitment of entry ${committed.seq}: arguments or salt are not those of the call`
        findings.add('opening_mismatch', { log, seq: committed.seq, line }, message)
      } else if (unopened.has(call)) {
        opened += 1
      }
      unopened.delete(call)
      justOpened.set(call, committed)
    },

    finish(lineNumber) {
      for (const [call, { seq, line }] of unopened) {
        const message = `the opening of call ${call} is missing, and no redaction entry says that it was erased`
        findings.add('opening_missing', { log, seq, line }, message, lineNumber)
      }
      return { opened, redacted: [...redacted.values()] }
    },
  }

  function redact(call: string, seq: number, line: number, reason: string): void {
    const repeated = redacted.has(call)
    if (!repeated) redacted.set(call, { call, seq, reason })
    if (!included || repeated || unopened.delete(call)) return
    findings.add(
      'redaction_contradicted',
      { log, seq, line },
      `call ${call} was redacted, but its opening is there, or there is no such call before`,
    )
  }
}
