import { entryLine, GENESIS_PREV, hashLine, readEntry, type Draft, type Entry } from './entry.ts'
import { facetsOf } from './facets.ts'
import { monthOf } from '../names.ts'

/** Segments: how entries join a chain, one document per commit, with the chain's running totals. */

/** Running totals of one agent's chain in one month, in units of `tools.invoke`. */
export interface Usage {
  /** `YYYY-MM`, UTC. */
  month: string
  /** Intents recorded. */
  invoked: number
  /** Units given back because no answer came from the upstream. */
  credited: number
  /** Units leased from the owner's quota so far; `invoked - credited` never exceeds it. */
  leased: number
}

/** A document of the audit chain that is created once and never changed: entries that were committed together. */
export interface Segment {
  orgId: string
  first: number
  count: number
  /** Id of the writer's attempt: it shows a writer whose acknowledgement was lost that the commit is its own. */
  batch: string
  prev: string
  tail: string
  /** RFC 3339; a timestamp in Firestore. */
  at: string
  usage: Usage
  /** The line of each entry (entryLine in entry.ts): what is stored is what was hashed. */
  entries: string[]
  facets: string[]
}

/** What a writer needs to append to a chain. */
export interface Tail {
  /** Sequence number of the next entry. */
  next: number
  hash: string
  at: string
  usage: Usage
}

export const EMPTY_TAIL: Tail = {
  next: 0,
  hash: GENESIS_PREV,
  at: '',
  usage: { month: '', invoked: 0, credited: 0, leased: 0 },
}

export function tailOf(segment: Segment): Tail {
  return { next: segment.first + segment.count, hash: segment.tail, at: segment.at, usage: segment.usage }
}

/** The entries of a stored segment. Throws SyntaxError for a line that is not JSON. */
export function entriesOf({ entries }: Pick<Segment, 'entries'>): Entry[] {
  return entries.map(readEntry)
}

/** The line of entry `seq`, if it is in this segment. */
export function lineAt({ first, entries }: Pick<Segment, 'first' | 'entries'>, seq: number): string | undefined {
  return entries[seq - first]
}

/** Document id of a segment: its first sequence number as 16 digits, so that ids sort as numbers do. */
export function segmentId(first: number): string {
  return String(first).padStart(16, '0')
}

/** The time of the next segment: the clock's, but not earlier than the chain's last entry. */
export function nextTime(tail: Tail, nowMs: number): string {
  const now = new Date(nowMs).toISOString()
  return now < tail.at ? tail.at : now
}

/** The totals at the time `at`, before new entries: they start from zero in a new month. */
export function usageAt(tail: Tail, at: string): Usage {
  const month = monthOf(at)
  return tail.usage.month === month ? tail.usage : { month, invoked: 0, credited: 0, leased: 0 }
}

/** Appends drafts to the chain. `drafts` is not empty; `usage` holds the totals after them. */
export function buildSegment(input: {
  log: string
  orgId: string
  batch: string
  tail: Tail
  at: string
  usage: Usage
  drafts: readonly Draft[]
}): { segment: Segment; hashes: string[] } {
  const { log, orgId, batch, tail, at, usage } = input
  const entries: string[] = []
  const hashes: string[] = []
  let prev = tail.hash
  for (const { action, actor, target, call, meta } of input.drafts) {
    const seq = tail.next + entries.length
    const line = entryLine({ v: 1, log, seq, prev, ts: at, action, actor, target, call, meta })
    prev = hashLine(line)
    entries.push(line)
    hashes.push(prev)
  }
  const segment = {
    orgId,
    first: tail.next,
    count: entries.length,
    batch,
    prev: tail.hash,
    tail: prev,
    at,
    usage,
    entries,
    facets: facetsOf(input.drafts),
  }
  return { segment, hashes }
}
