/** Findings: their kinds, and the list of those in one bundle. */

/** The kinds of tampering that findings indicate. */
export type Tampering =
  | 'edit'
  | 'deletion'
  | 'insertion'
  | 'reorder'
  | 'truncation'
  | 'rewrite'
  | 'fork'
  | 'clock rollback'
  | 'forged signature'
  | 'foreign checkpoint'
  | 'swapped opening'
  | 'erased opening'
  | 'altered usage'
  | 'altered export'
  | 'lost outcome'
  | 'replay'

/**
 * Every kind of finding and the tampering that it indicates. A finding proves that something is wrong, but not who did
 * it or how.
 */
const TAMPERING = {
  // lines
  malformed_line: 'altered export',
  not_canonical: 'altered export',
  misplaced_line: 'altered export',
  bad_field: 'edit',
  unknown_action: 'edit',
  end_mismatch: 'altered export',
  // chains
  scope_mismatch: 'altered export',
  chain_missing: 'deletion',
  foreign_line: 'insertion',
  link_broken: 'edit',
  entries_missing: 'deletion',
  entry_repeated: 'insertion',
  entry_inserted: 'insertion',
  out_of_order: 'reorder',
  clock_rollback: 'clock rollback',
  chain_short: 'truncation',
  chain_long: 'insertion',
  head_mismatch: 'edit',
  // checkpoints in the bundle
  checkpoint_malformed: 'edit',
  checkpoint_foreign: 'foreign checkpoint',
  checkpoint_bad_signature: 'forged signature',
  checkpoint_unknown_key: 'forged signature',
  checkpoint_order: 'altered export',
  checkpoint_beyond_chain: 'truncation',
  checkpoint_root_mismatch: 'rewrite',
  checkpoint_fork: 'fork',
  org_checkpoint_mismatch: 'fork',
  org_checkpoint_beyond_chain: 'truncation',
  org_checkpoint_malformed: 'edit',
  // pins and receipts held outside the operator's reach
  pin_chain_missing: 'deletion',
  pin_bad_signature: 'forged signature',
  pin_unknown_key: 'rewrite',
  pin_beyond_chain: 'truncation',
  pin_root_mismatch: 'rewrite',
  receipt_chain_missing: 'deletion',
  receipt_invalid: 'forged signature',
  receipt_beyond_chain: 'truncation',
  receipt_mismatch: 'rewrite',
  // calls
  outcome_without_intent: 'deletion',
  call_closed_twice: 'replay',
  call_reused: 'replay',
  outcome_mismatch: 'edit',
  unreconciled: 'lost outcome',
  // usage and openings
  usage_mismatch: 'altered usage',
  usage_missing: 'altered usage',
  usage_repeated: 'altered usage',
  commitment_missing: 'edit',
  opening_mismatch: 'swapped opening',
  opening_missing: 'erased opening',
  opening_unknown: 'swapped opening',
  opening_redacted: 'swapped opening',
  redaction_contradicted: 'swapped opening',
} as const satisfies Record<string, Tampering>

export type FindingCode = keyof typeof TAMPERING

/** Where a finding is; fields that do not apply are absent. */
export interface Place {
  log?: string | undefined
  seq?: number | undefined
  /** Line of the bundle, from 1. */
  line?: number | undefined
  /** File of a pin or receipt. */
  file?: string | undefined
}

export interface Finding extends Place {
  code: FindingCode
  looksLike: Tampering
  /** A sentence for a person, without a full stop. */
  message: string
}

export interface Findings {
  /**
   * `foundOn`: the line that revealed the finding, if it is another one. Findings are sorted by it, so that those which
   * explain others come first.
   */
  add(code: FindingCode, place: Place, message: string, foundOn?: number): Finding
  /** Changes an earlier finding when later entries explain it better. */
  amend(finding: Finding, code: FindingCode, place: Place, message: string): void
  summary(): FindingSummary
}

export interface FindingSummary {
  count: number
  byCode: Partial<Record<FindingCode, number>>
  /**
   * The first LISTED_MAX findings at most, in the order in which the bundle reveals them; those without a line come
   * last.
   */
  list: Finding[]
}

/** Every line of a bundle may be wrong. All findings are counted, but only the first ones are listed. */
const LISTED_MAX = 100

export function createFindings(): Findings {
  const counts = new Map<FindingCode, number>()
  let list: Listed[] = []

  function count(code: FindingCode, by: number): void {
    counts.set(code, (counts.get(code) ?? 0) + by)
  }

  return {
    add(code, place, message, foundOn) {
      const finding: Finding = { code, looksLike: TAMPERING[code], ...place, message }
      count(code, 1)
      list.push({ finding, foundOn })
      // Findings about signatures arrive later than their line, so the first ones are known only after sorting.
      if (list.length > 10 * LISTED_MAX) list = firstOnes(list)
      return finding
    },
    amend(finding, code, place, message) {
      count(finding.code, -1)
      count(code, 1)
      Object.assign(finding, { code, looksLike: TAMPERING[code], ...place, message })
    },
    summary() {
      const byCode = Object.fromEntries([...counts].filter(([, n]) => n > 0))
      const total = [...counts.values()].reduce((sum, n) => sum + n, 0)
      return { count: total, byCode, list: firstOnes(list).map(({ finding }) => finding) }
    },
  }
}

interface Listed {
  finding: Finding
  foundOn: number | undefined
}

function firstOnes(list: Listed[]): Listed[] {
  return list.toSorted((a, b) => rank(a) - rank(b)).slice(0, LISTED_MAX)
}

function rank({ finding, foundOn }: Listed): number {
  return foundOn ?? finding.line ?? Number.MAX_SAFE_INTEGER
}
