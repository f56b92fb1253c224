import type { Draft, Entry } from '@vitrine/core/log/entry'
import type { ProofParts } from './parts.ts'
import { logs, paths } from '../store/documents.ts'
import { collection, select } from '../store/path.ts'
import { closingOf, isStale } from '../ledger/closing.ts'
import { openIntents, type OpenIntents } from './open-intents.ts'

/** Each closed call adds a write to the commit, and Firestore takes 500. */
const CALLS_AT_A_TIME = 100
const TRIES_MAX = 10
const AGENTS_AT_A_TIME = 8

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
