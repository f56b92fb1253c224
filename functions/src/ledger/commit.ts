import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashLine } from '@vitrine/core/log/entry'
import type { ErrorCode } from '@vitrine/core/errors'
import type { Quota } from '@vitrine/core/log/meter'
import { monthEnd } from '@vitrine/core/names'
import { fail, ok, type Result } from '@vitrine/core/result'
import { nextTime, tailOf, usageAt, type Segment, type Tail } from '@vitrine/core/log/segment'
import { logError } from '../lib/log.ts'
import { planSegment, unitsMissing, type Appended, type Item, type Plan } from './plan.ts'

/** Commits batches of items to a chain: each item is written exactly once, or its caller learns that it was not. */

export interface VersionedQuota extends Quota {
  /** Changes with every write of the document; empty while it does not exist. */
  version: string
}

/**
 * The store behind the ledger. Reads may throw if the store does not answer. `commit` returns `unknown` in that case:
 * on a throw the ledger would plan again, although the segment may exist already. `commit` writes the segment (create
 * only) and everything else of the plan atomically:
 * - done: it is durable.
 * - refused: a precondition failed, so this attempt wrote nothing (an earlier, unacknowledged one may have).
 * - unknown: no acknowledgement; it may be durable or not.
 * - invalid: the store will never accept it.
 */
export interface LedgerStore {
  readTail(log: string): Promise<Tail>
  readSegment(log: string, first: number): Promise<Segment | undefined>
  readQuota(ownerUid: string, month: string): Promise<VersionedQuota>
  commit(
    log: string,
    plan: Plan,
    quota: { ownerUid: string; value: VersionedQuota } | undefined,
  ): Promise<'done' | 'refused' | 'unknown' | 'invalid'>
}

/** A caller waiting for an item's place in a chain. */
export interface Waiting {
  item: Item
  settle: (result: Result<Appended>) => void
  /** The caller was told that the ledger is unavailable, so the item must not be written any more. */
  abandoned: boolean
}

export interface Chain {
  log: string
  orgId: string
  /** The end of the chain as this process knows it; another process may have appended since. */
  tail: Tail | undefined
  queue: Waiting[]
  busy: boolean
}

/** What follows an attempt: `again` from a fresh tail, `requota` with a fresh quota document, `refused` one by one. */
type Turn = { next: 'done' | 'again' } | { next: 'refused'; code: ErrorCode } | { next: 'requota'; version: string }

/** Completes a batch of waiting items: answers every caller in it that has not been abandoned. */
export type CommitBatch = (chain: Chain, batch: Waiting[]) => Promise<void>

/**
 * Appends batches to their chain, one after the other. Whatever the store does (a collision with another writer, a lost
 * acknowledgement, no answer at all), an item is written once or its caller is told that it was not.
 */
export function createCommitter(store: LedgerStore, now: () => number): CommitBatch {
  return commitAll

  async function commitAll(chain: Chain, batch: Waiting[]): Promise<void> {
    let pending = batch
    let id = randomUUID()
    let blamedQuota: string | undefined
    for (let attempt = 0; ; attempt++) {
      const left = pending.filter((waiting) => !waiting.abandoned)
      // A changed set of items is a new attempt with a new id. The same set keeps its id, so that a write that lands
      // late is recognized.
      if (left.length < pending.length) id = randomUUID()
      pending = left
      if (pending.length === 0) return
      const turn = await attemptOnce(chain, pending, id, blamedQuota).catch(failedTurn)
      if (turn.next === 'done') return
      if (turn.next === 'refused') return refuse(chain, pending, turn.code)
      if (turn.next === 'requota') blamedQuota = turn.version
      else chain.tail = undefined
      await sleep(Math.random() * 5 * 2 ** Math.min(attempt, 7))
    }
  }

  /** One attempt from the tail on; throws if the store does not answer. */
  async function attemptOnce(
    chain: Chain,
    pending: Waiting[],
    batch: string,
    blamedQuota: string | undefined,
  ): Promise<Turn> {
    const remembered = chain.tail !== undefined
    const tail = (chain.tail ??= await store.readTail(chain.log))
    const items = pending.map((waiting) => waiting.item)
    if (items[0]?.recheck && !(await items[0].recheck(tail.next))) return { next: 'refused', code: 'conflict' }
    const nowMs = now()
    const quota = await quotaFor(tail, items, nowMs)
    // The quota document has not changed since it was blamed, so one of the items' own writes caused the refusal.
    if (blamedQuota !== undefined && quota?.value.version === blamedQuota) return { next: 'refused', code: 'conflict' }
    // Callers that gave up while the store was read must not be written.
    if (pending.some((waiting) => waiting.abandoned)) return { next: 'again' }

    const plan = planSegment({ log: chain.log, orgId: chain.orgId, batch, tail, nowMs, items, quota: quota?.value })
    // Without a commit no collision can show that the tail is stale and that units were given back elsewhere: read it
    // again.
    if (plan.admitted.length === 0 && remembered) return { next: 'again' }
    const written = plan.admitted.length === 0 ? 'done' : await commitUntilKnown(chain, plan, quota, pending)
    if (written === 'again') return { next: 'again' }
    if (written === 'invalid') return { next: 'refused', code: 'internal' }
    if (written === 'refused')
      return quota && plan.lease !== 0
        ? { next: 'requota', version: quota.value.version }
        : { next: 'refused', code: 'conflict' }
    if (plan.admitted.length > 0) chain.tail = tailOf(plan.segment)
    answer(chain.log, pending, plan, quota?.value.limit)
    return { next: 'done' }
  }

  async function quotaFor(
    tail: Tail,
    items: Item[],
    nowMs: number,
  ): Promise<{ ownerUid: string; value: VersionedQuota } | undefined> {
    const releasing = items[0]?.release
    const ownerUid = releasing?.ownerUid ?? items.find((item) => item.charge)?.charge?.ownerUid
    if (ownerUid === undefined || (!releasing && unitsMissing(tail, items, nowMs) === 0)) return undefined
    const { month } = usageAt(tail, nextTime(tail, nowMs))
    return { ownerUid, value: await store.readQuota(ownerUid, month) }
  }

  /** Repeats the same commit until the store confirms that it is written, or that something else is written there. */
  async function commitUntilKnown(
    chain: Chain,
    plan: Plan,
    quota: { ownerUid: string; value: VersionedQuota } | undefined,
    pending: Waiting[],
  ): Promise<'done' | 'again' | 'refused' | 'invalid'> {
    for (let attempt = 0; ; attempt++) {
      const result = await store.commit(chain.log, plan, quota)
      if (result === 'done' || result === 'invalid') return result
      if (result === 'refused') {
        // Find out who wrote here before going on: a fresh tail could end in this very segment.
        const existing = await store.readSegment(chain.log, plan.segment.first).catch(() => 'unknown' as const)
        if (existing === undefined) return 'refused'
        if (existing !== 'unknown') return existing.batch === plan.segment.batch ? adopt(plan, existing) : 'again'
      }
      await sleep(Math.random() * 50 * 2 ** Math.min(attempt, 5))
      if (pending.every((waiting) => waiting.abandoned)) return 'again'
    }
  }

  /**
   * The failed precondition is neither the tail's nor the quota's, so each item is tried alone and only the culprit
   * fails.
   */
  async function refuse(chain: Chain, pending: Waiting[], code: ErrorCode): Promise<void> {
    const [only, ...others] = pending
    if (only && others.length === 0) return only.settle(fail(code))
    for (const waiting of pending) await commitAll(chain, [waiting])
  }
}

/**
 * Our own segment was written although no acknowledgement came. It may come from an earlier plan of the same batch, so
 * use the stored one.
 */
function adopt(plan: Plan, existing: Segment): 'done' {
  plan.segment = existing
  plan.hashes = existing.entries.map(hashLine)
  return 'done'
}

/** Tells the callers of a batch what became of their items. */
function answer(
  log: string,
  pending: Waiting[],
  { segment, hashes, admitted, refused, usage }: Plan,
  limit: number | undefined,
): void {
  const waitingOf = new Map(pending.map((waiting) => [waiting.item, waiting]))
  for (const item of refused) {
    waitingOf
      .get(item)
      ?.settle(
        fail('quota_exceeded', undefined, { resetsAt: monthEnd(usage.month), ...(limit !== undefined && { limit }) }),
      )
  }
  for (const { item, offset } of admitted) {
    const receipts = item.drafts.map((_, i) => ({
      log,
      seq: segment.first + offset + i,
      hash: hashes[offset + i]!,
    }))
    waitingOf.get(item)?.settle(ok({ receipts, at: segment.at }))
  }
}

/** A store that does not answer is tried again. An item that cannot be hashed or stored fails for good. */
function failedTurn(error: unknown): Turn {
  if (!(error instanceof TypeError || error instanceof RangeError)) return { next: 'again' }
  logError(error.stack ?? error.message)
  return { next: 'refused', code: 'internal' }
}
