/** Closes the calls whose process died before it could record their outcome. */

import type { Firestore } from 'firebase-admin/firestore'
import type { Draft, Entry } from '@vitrine/core/log/entry'
import { entriesOf } from '@vitrine/core/log/segment'
import type { ProofParts } from './parts.ts'
import { logs, paths } from '../store/documents.ts'
import { collection, select } from '../store/path.ts'
import { closingOf, isStale } from '../ledger/closing.ts'

/** Each closed call adds a write to the commit, and Firestore takes 500. */
const CALLS_AT_A_TIME = 100
const TRIES_MAX = 10
const AGENTS_AT_A_TIME = 8
const SEGMENTS_AT_A_TIME = 100

/**
 * Closes, as unknown, every intent of the chain that is older than the longest call and has no outcome: the tool may
 * have been called or not, so the unit stays charged. Idempotent, and safe while invocations run. Returns how many it
 * closed.
 */
export async function reconcileChain(parts: ProofParts, log: string, orgId: string): Promise<number> {
  const watermark = parts.db.doc(`${log}/state/reconciler`)
  const closedBefore = ((await watermark.get()).data()?.['closedBefore'] as number | undefined) ?? 0
  const intents = openIntents(parts.db, log, closedBefore)
  await intents.readTo()

  let closed = 0
  for (let tries = 0; tries < TRIES_MAX;) {
    const stale = intents
      .list()
      .filter((intent) => isStale(intent, new Date().toISOString(), parts.reconcileAfterMs))
      .slice(0, CALLS_AT_A_TIME)
    if (stale.length === 0) break
    const appended = await close(parts, log, orgId, stale, intents)
    if (appended.ok) closed += stale.length
    else tries++
    await intents.readTo()
  }
  if (intents.closedBefore() > closedBefore) await watermark.set({ closedBefore: intents.closedBefore() })
  return closed
}

function close(parts: ProofParts, log: string, orgId: string, stale: readonly Entry[], intents: OpenIntents) {
  return parts.append(log, orgId, {
    drafts: stale.map(unknownOutcome),
    writes: (seq, at) => stale.flatMap((intent, i) => closingOf(parts, log, intent, seq + i, at)),
    async recheck(seq) {
      await intents.readTo(seq)
      const open = new Set(intents.list().map(({ call }) => call))
      return stale.every(({ call }) => open.has(call))
    },
  })
}

function unknownOutcome({ target, call, seq }: Entry): Draft {
  return {
    action: 'tool.reconcile',
    actor: 'system:reconciler',
    target,
    call,
    meta: { outcome: 'unknown', intentSeq: seq },
  }
}

/** Reconciles all agents' chains; organizations' chains hold no calls. Returns how many calls it closed. */
export async function reconcileAll(parts: ProofParts): Promise<number> {
  const agents = (await select(collection(parts.db, paths.agents), 'orgId').get()).docs
  let closed = 0
  async function work(): Promise<void> {
    for (let agent = agents.pop(); agent; agent = agents.pop()) {
      closed += await reconcileChain(parts, logs.agent(agent.id), agent.data().orgId)
    }
  }
  await Promise.all(Array.from({ length: AGENTS_AT_A_TIME }, work))
  return closed
}

/** The intents of a chain that are still open, as far as it was read. */
interface OpenIntents {
  /** Reads on up to sequence number `end` (exclusive), or to the end of the chain. */
  readTo(end?: number): Promise<void>
  /** In the order of the chain. */
  list(): Entry[]
  /** All intents before this sequence number are closed and need not be read again. */
  closedBefore(): number
}

function openIntents(db: Firestore, log: string, from: number): OpenIntents {
  const open = new Map<string, Entry>()
  let position = from

  function take(entry: Entry): void {
    if (entry.action === 'tool.invoke.intent') open.set(entry.call, entry)
    else if (entry.action === 'tool.invoke' || entry.action === 'tool.reconcile') open.delete(entry.call)
    position = entry.seq + 1
  }

  return {
    async readTo(end = Infinity) {
      while (position < end) {
        const page = await collection(db, paths.segments(log))
          .where('first', '>=', position)
          .orderBy('first')
          .limit(SEGMENTS_AT_A_TIME)
          .get()
        for (const doc of page.docs) entriesOf(doc.data()).forEach(take)
        if (page.size < SEGMENTS_AT_A_TIME) return
      }
    },
    list: () => [...open.values()],
    closedBefore: () => Math.min(position, ...[...open.values()].map((entry) => entry.seq)),
  }
}
