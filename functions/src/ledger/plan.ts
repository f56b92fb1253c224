import type { Opening } from '@vitrine/core/log/commitment'
import type { Draft } from '@vitrine/core/log/entry'
import { OPENINGS_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_ENTRIES_MAX } from '@vitrine/core/limits'
import { leaseSize, spendable, type Quota } from '@vitrine/core/log/meter'
import { buildSegment, nextTime, usageAt, type Segment, type Tail, type Usage } from '@vitrine/core/log/segment'

/** Where entries came to stand, in the order of the item's drafts. */
export interface Appended {
  receipts: Receipt[]
  /** Time of the entries, RFC 3339. */
  at: string
}

export interface Receipt {
  log: string
  seq: number
  hash: string
}

/** A write that belongs to an entry: both are committed, or neither. */
export type Write =
  | { op: 'create'; path: string; data: object }
  /** `version` is what `readVersioned` gave: a document that has changed since fails the write. */
  | { op: 'update'; path: string; data: object; version?: unknown }
  | { op: 'set'; path: string; data: object }
  | { op: 'delete'; path: string; version?: unknown }

/** What goes into a chain together. */
export interface Item {
  drafts: Draft[]
  /** One unit of `tools.invoke` is spent out of this owner's quota; refused when none is left. */
  charge?: { ownerUid: string }
  /** One unit goes back, if the month in which it was spent is still running; `meta.credited` of the last draft says so. */
  credit?: { month: string }
  /** All units that the chain has leased and not spent go back to this owner's quota; `meta.units` of the draft says how many. */
  release?: { ownerUid: string }
  opening?: { call: string; opening: Opening }
  /** Given the sequence number, the time and the hash of the item's first entry. */
  writes?: (seq: number, at: string, hash: string) => Write[]
  /**
   * For what is true only of a chain that nobody else has added to: asked right before each try to write at `seq`, and
   * refused (conflict) when it says no. Since the segment is created at `seq` or not at all, nothing comes in between.
   */
  recheck?: (seq: number) => Promise<boolean>
  /** Called when the item turns out to stand after its caller was told that the ledger is unavailable. */
  landedLate?: (appended: Appended) => void
}

export interface Plan {
  segment: Segment
  hashes: string[]
  /** Items in the order of their drafts; each with its first entry's index in the segment. */
  admitted: { item: Item; offset: number }[]
  /** Items for which the quota had no unit left, and releases of nothing. */
  refused: Item[]
  /** Units to lease in the same commit; negative when some go back. */
  lease: number
  usage: Usage
  usageChanged: boolean
}

/** Units missing for a batch, before any lease: the quota document need not be read when this is 0. */
export function unitsMissing(tail: Tail, items: readonly Item[], nowMs: number): number {
  const usage = usageAt(tail, nextTime(tail, nowMs))
  return Math.max(0, count(items, chargesUnit) - count(items, (item) => isCredited(item, usage)) - spendable(usage))
}

/**
 * Places items behind the tail. Charged items are refused when tail, credits and lease together leave them no unit;
 * everything else is always admitted.
 */
export function planSegment(input: {
  log: string
  orgId: string
  batch: string
  tail: Tail
  nowMs: number
  items: readonly Item[]
  quota?: Quota | undefined
}): Plan {
  const { log, orgId, batch, tail, nowMs, items, quota } = input
  const at = nextTime(tail, nowMs)
  const before = usageAt(tail, at)
  const credited = count(items, (item) => isCredited(item, before))
  const lease = quota ? leaseFor(items, before, unitsMissing(tail, items, nowMs), quota) : 0

  let units = spendable(before) + credited + lease
  const admitted: Plan['admitted'] = []
  const refused: Item[] = []
  const drafts: Draft[] = []
  for (const item of items) {
    if ((chargesUnit(item) && units-- <= 0) || (item.release && lease === 0)) {
      refused.push(item)
      continue
    }
    admitted.push({ item, offset: drafts.length })
    drafts.push(...draftsOf(item, before, lease))
  }

  const invoked = count(admitted, ({ item }) => chargesUnit(item))
  const usage = {
    month: before.month,
    invoked: before.invoked + invoked,
    credited: before.credited + credited,
    leased: before.leased + lease,
  }
  const usageChanged = invoked + credited > 0 || lease !== 0
  return {
    ...buildSegment({ log, orgId, batch, tail, at, usage, drafts }),
    admitted,
    refused,
    lease,
    usage,
    usageChanged,
  }
}

/** How many of the waiting items one segment can hold: at least one, whatever its size. Rechecks and releases go alone. */
export function batchSize(items: readonly Item[]): number {
  const alone = items.findIndex((item) => item.recheck ?? item.release)
  return alone === 0 ? 1 : sizeOf(alone > 0 ? items.slice(0, alone) : items)
}

function sizeOf(items: readonly Item[]): number {
  let entries = 0
  let bytes = 0
  let openings = 0
  for (const [index, item] of items.entries()) {
    entries += item.drafts.length
    bytes += item.drafts.reduce((sum, draft) => sum + draftBytes(draft), 0)
    openings += item.opening ? Buffer.byteLength(item.opening.opening.args) + 200 : 0
    const full = entries > SEGMENT_ENTRIES_MAX || bytes > SEGMENT_BYTES_MAX || openings > OPENINGS_BYTES_MAX
    if (full && index > 0) return index
  }
  return items.length
}

/** An upper estimate of a stored entry; hashes, times and field names are the fixed part. */
function draftBytes(draft: Draft): number {
  let bytes = 500 + 3 * (draft.actor.length + draft.target.length + draft.call.length)
  for (const value of Object.values(draft.meta)) bytes += typeof value === 'string' ? 32 + 3 * value.length : 40
  return bytes
}

function draftsOf(item: Item, usage: Usage, lease: number): Draft[] {
  if (!item.credit && !item.release) return item.drafts
  const last = item.drafts.at(-1)!
  const added = item.credit ? { credited: isCredited(item, usage) } : { units: -lease }
  return [...item.drafts.slice(0, -1), { ...last, meta: { ...last.meta, ...added } }]
}

function leaseFor(items: readonly Item[], before: Usage, missing: number, quota: Quota): number {
  if (items[0]?.release) return -spendable(before)
  return missing > 0 ? leaseSize(quota, missing) : 0
}

function chargesUnit(item: Item): boolean {
  return item.charge !== undefined
}

function isCredited(item: Item, usage: Usage): boolean {
  return item.credit?.month === usage.month
}

function count<T>(items: readonly T[], test: (item: T) => boolean): number {
  return items.reduce((sum, item) => sum + (test(item) ? 1 : 0), 0)
}
