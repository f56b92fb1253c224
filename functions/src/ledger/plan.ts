import type { Opening } from '@vitrine/core/log/commitment'
import type { Draft } from '@vitrine/core/log/entry'
import { OPENINGS_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_ENTRIES_MAX } from '@vitrine/core/limits'
import { leaseSize, spendable, type Quota } from '@vitrine/core/log/meter'
import { buildSegment, nextTime, usageAt, type Segment, type Tail, type Usage } from '@vitrine/core/log/segment'

/** The places of an item's entries, in the order of its drafts. */
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

/** A write that is committed together with an entry, or not at all. */
export type Write =
  | { op: 'create'; path: string; data: object }
  /** `version` comes from `readVersioned`: the write fails if the document has changed since. */
  | { op: 'update'; path: string; data: object; version?: unknown }
  | { op: 'set'; path: string; data: object }
  | { op: 'delete'; path: string; version?: unknown }

/** Drafts and writes that enter a chain together. */
export interface Item {
  drafts: Draft[]
  /** Spends one unit of `tools.invoke` from this owner's quota; refused if none is left. */
  charge?: { ownerUid: string }
  /** Gives one unit back if the month in which it was spent still runs; `meta.credited` of the last draft tells. */
  credit?: { month: string }
  /**
   * Returns all units that the chain has leased and not spent to this owner's quota; `meta.units` of the draft says how
   * many.
   */
  release?: { ownerUid: string }
  opening?: { call: string; opening: Opening }
  /** Called with the sequence number, the time and the hash of the item's first entry. */
  writes?: (seq: number, at: string, hash: string) => Write[]
  /**
   * For an item that is valid only if nobody else has appended. Called right before each attempt to write at `seq`;
   * false refuses the item (conflict). The segment is created at `seq` or not at all, so nothing can come in between.
   */
  recheck?: (seq: number) => Promise<boolean>
  /** Called if the item turns out to be written after its caller was told that the ledger is unavailable. */
  landedLate?: (appended: Appended) => void
}

export interface Plan {
  segment: Segment
  hashes: string[]
  /** The admitted items in order, each with the index of its first entry in the segment. */
  admitted: { item: Item; offset: number }[]
  /** Items that found no unit of quota left, and releases without units to return. */
  refused: Item[]
  /**
   * Units to lease in the same commit, with which the usage document follows the chain too; negative if some are
   * returned.
   */
  lease: number
  usage: Usage
}

/** Units that a batch lacks before any lease; if 0, the quota document is not read. */
export function unitsMissing(tail: Tail, items: readonly Item[], nowMs: number): number {
  const usage = usageAt(tail, nextTime(tail, nowMs))
  return Math.max(0, count(items, chargesUnit) - count(items, (item) => isCredited(item, usage)) - spendable(usage))
}

/**
 * Places items after the tail. A charged item is refused if tail, credits and lease together leave it no unit; all
 * other items are admitted.
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
  return {
    ...buildSegment({ log, orgId, batch, tail, at, usage, drafts }),
    admitted,
    refused,
    lease,
    usage,
  }
}

/**
 * How many of the waiting items fit into one segment: at least one, whatever its size. Items with a recheck or a
 * release go alone.
 */
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

/** An upper estimate of a stored entry's size; the fixed part covers hashes, times and field names. */
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
