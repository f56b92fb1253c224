import type { Firestore } from 'firebase-admin/firestore'
import { spendable } from '@vitrine/core/meter'
import { monthOf } from '@vitrine/core/names'
import { coalesce } from '../coalesce.ts'
import type { Append } from '../ledger/ledger.ts'
import { logs } from '../store/documents.ts'
import { ownerUsage } from './owner-usage.ts'

/** Whether units came back to the owner's quota, so that asking it again is worth while. */
export type Reclaim = (ownerUid: string) => Promise<boolean>

/** An owner whose agents held nothing is not asked again for so long: it costs two reads an agent. */
const FRUITLESS_MS = 10_000
const OWNERS_MAX = 1_000

/**
 * Agents lease units in blocks, and an idle one may sit on some while another of the same owner is refused. Before that
 * happens, every agent's unspent units go back: an entry on its own chain and the quota document in one commit, so an
 * agent that is active after all merely leases again.
 */
export function createReclaim(db: Firestore, append: Append, now: () => number = Date.now): Reclaim {
  const shared = coalesce<boolean>()
  const fruitlessUntilMs = new Map<string, number>()

  async function reclaim(ownerUid: string): Promise<boolean> {
    const { agents } = await ownerUsage(db, ownerUid, monthOf(new Date(now()).toISOString()))
    const holding = agents.filter(({ usage }) => spendable(usage) > 0)
    const released = await Promise.all(
      holding.map(({ agentId, usage }) =>
        append(logs.agent(agentId), usage.orgId, {
          drafts: [{ action: 'quota.release', actor: 'system:quota', target: ownerUid, call: '', meta: {} }],
          release: { ownerUid },
        }),
      ),
    )
    const came = released.some((result) => result.ok)
    if (fruitlessUntilMs.size >= OWNERS_MAX) fruitlessUntilMs.clear()
    if (!came) fruitlessUntilMs.set(ownerUid, now() + FRUITLESS_MS)
    return came
  }

  return async (ownerUid) => {
    if (now() < (fruitlessUntilMs.get(ownerUid) ?? 0)) return false
    return shared(ownerUid, () => reclaim(ownerUid))
  }
}
