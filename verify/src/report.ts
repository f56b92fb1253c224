import { bytesToBase64 } from '@vitrine/core/bytes'
import type { ChainTotals } from './check/chain.ts'
import type { Finding, FindingCode } from './check/findings.ts'
import type { Held } from './check/held.ts'
import type { Verified } from './verify.ts'

/**
 * The object that `--json` prints. Version 1 only ever gains fields.
 *
 * `holds`: every check passed; `chains` and `notes` tell which entries only the operator vouches for. `fails`:
 * something is wrong, see `findings`. `incomplete`: nothing is wrong, but the bundle was cut off.
 */
export interface Report {
  v: 1
  result: 'holds' | 'fails' | 'incomplete'
  source: string
  project: string
  scope: string
  /** Whether the bundle has openings, so that commitments could be checked. */
  openings: boolean
  lines: number
  entries: number
  keys: {
    /** False: the operator's keys are those that the bundle names. */
    pinned: boolean
    /** Base64. */
    publicKeys: string[]
  }
  /** Files given with --pin and --receipts. */
  heldOutside: { pins: number; receipts: number }
  chains: ChainReport[]
  findings: { count: number; byCode: Partial<Record<FindingCode, number>>; first: Finding | null; list: Finding[] }
  /** What a reader must know besides the findings. */
  notes: Note[]
}

export interface ChainReport extends Omit<ChainTotals, 'held' | 'entries'> {
  entries: number
  /** Number of pins and receipts of this chain. */
  held: { pins: number; receipts: number }
  /**
   * The last entry that something held outside the operator's reach confirms, and what confirms it; null if nothing
   * does.
   */
  covered: { upTo: number; by: string } | null
  /** First and last of the entries that only the operator vouches for; null if there are none. */
  operatorAlone: [first: number, last: number] | null
}

export type NoteCode =
  | 'nothing_held_outside'
  | 'not_covered'
  | 'key_not_pinned'
  | 'no_checkpoint'
  | 'no_openings'
  | 'in_flight'
  | 'redacted'
  | 'unsigned'
  | 'strangers'
  | 'incomplete'

export interface Note {
  code: NoteCode
  log?: string
  text: string
}

export function buildReport(
  { totals, findings }: Verified,
  given: { source: string; pinned: boolean; held: Held },
): Report {
  const { head, complete, lines, entries, publicKeys } = totals
  const chains = totals.chains.map(chainReport)
  const { pins, proofs, receipts } = given.held
  const heldOutside = { pins: pins.length, receipts: proofs.length + receipts.length }
  return {
    v: 1,
    result: findings.count > 0 ? 'fails' : complete ? 'holds' : 'incomplete',
    source: given.source,
    project: head.project,
    scope: head.scope,
    openings: head.openings,
    lines,
    entries,
    keys: { pinned: given.pinned, publicKeys: publicKeys.map(bytesToBase64) },
    heldOutside,
    chains,
    findings: { ...findings, first: findings.list[0] ?? null },
    notes: notesOf({ ...given, complete, openings: head.openings, chains, strangers: totals.strangers, heldOutside }),
  }
}

function chainReport({ held, ...totals }: ChainTotals): ChainReport {
  const witness = totals.checkpoints.witnessed.toSorted((a, b) => b.size - a.size)[0]
  const byWitness = witness !== undefined && witness.size > held.coveredSize
  const coveredSize = byWitness ? witness.size : held.coveredSize
  const by = byWitness ? `witness ${witness.name}` : held.coveredBy
  return {
    ...totals,
    held: { pins: held.pins, receipts: held.receipts },
    covered: coveredSize > 0 && by !== undefined ? { upTo: coveredSize - 1, by } : null,
    operatorAlone: coveredSize < totals.size ? [coveredSize, totals.size - 1] : null,
  }
}

interface NoteInput {
  complete: boolean
  pinned: boolean
  openings: boolean
  strangers: number
  heldOutside: { pins: number; receipts: number }
  chains: ChainReport[]
}

function notesOf({ complete, pinned, openings, strangers, heldOutside, chains }: NoteInput): Note[] {
  const notes: Note[] = []
  if (!complete)
    notes.push({
      code: 'incomplete',
      text: 'the bundle has no end: the export was cut off, and what is missing was not checked',
    })
  if (heldOutside.pins + heldOutside.receipts === 0 && chains.every(({ covered }) => covered === null)) {
    notes.push({
      code: 'nothing_held_outside',
      text: 'no externally held checkpoint was given: the operator could have rewritten everything',
    })
  }
  if (!pinned)
    notes.push({
      code: 'key_not_pinned',
      text: 'the signing key was taken from the bundle itself, it was not pinned: give --key with one from elsewhere',
    })
  if (!openings)
    notes.push({
      code: 'no_openings',
      text: 'the bundle has no openings: what was called with which arguments was not checked',
    })
  if (strangers > 0)
    notes.push({ code: 'strangers', text: `receipts of other chains than the bundle's, not checked: ${strangers}` })
  return [...notes, ...chains.flatMap(chainNotes)]
}

function chainNotes({ log, size, covered, checkpoints, calls, openings, recorded, held }: ChainReport): Note[] {
  const notes: [NoteCode, string, boolean][] = [
    [
      'not_covered',
      'nothing held outside covers this chain',
      size > 0 && covered === null && held.pins + held.receipts === 0,
    ],
    ['no_checkpoint', 'no signed checkpoint is in the bundle', size > 0 && checkpoints.count === 0],
    [
      'in_flight',
      `calls under way, or not yet reconciled, when the chain was exported: ${calls.inFlight}`,
      calls.inFlight > 0,
    ],
    [
      'redacted',
      `calls whose arguments were erased, each with a redaction entry: ${openings.redacted.length}`,
      openings.redacted.length > 0,
    ],
    [
      'unsigned',
      `checkpoints that the org recorded and that are not in the bundle, as not signed yet or left out: ${recorded.unsigned}`,
      recorded.unsigned > 0,
    ],
  ]
  return notes.filter(([, , applies]) => applies).map(([code, text]) => ({ code, log, text }))
}
