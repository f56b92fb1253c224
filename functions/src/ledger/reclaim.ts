import type { Firestore } from 'firebase-admin/firestore'
import { LRUCache } from 'lru-cache'
import { spendable } from '@vitrine/core/log/meter'
import { monthOf } from '@vitrine/core/names'
import type { Append } from './ledger.ts'
import { logs, paths } from '../store/documents.ts'
import { read } from '../store/path.ts'
import { ownerUsage } from './owner-usage.ts'

/**
 * Makes all agents of an owner return the units they have leased and not spent. Resolves with whether the quota has
 * units afterwards, so that asking it again makes sense. Unless `always`, an owner whose quota was just found empty is
 * skipped.
 */
export type Reclaim = (ownerUid: string, always?: 'always') => Promise<boolean>

/** How long an owner with an empty quota is skipped: looking costs two reads per agent. */
const FRUITLESS_MS = 10_000
const OWNERS_MAX = 1_000

/**
 * Agents lease units in blocks, so an idle agent may hold units while another of the same owner is refused. Before
 * refusing, every agent's unspent units are returned: an entry on its own chain and the quota document in one commit.
 * An agent that is active after all simply leases again.
 */
export function createReclaim(db: Firestore, append: Append, now: () => number = Date.now): Reclaim {
  const underWay = new Map<string, Promise<boolean>>()
  const fruitlessUntilMs = new LRUCache<string, number>({ max: OWNERS_MAX })

  async function reclaim(ownerUid: string): Promise<boolean> {
    const month = monthOf(new Date(now()).toISOString())
    const { agents } = await ownerUsage(db, ownerUid, month)
    const holding = agents.filter(({ usage }) => spendable(usage) > 0)
    await Promise.all(
      holding.map(({ agentId, usage }) =>
        append(logs.agent(agentId), usage.orgId, {
          drafts: [{ action: 'quota.release', actor: 'system:quota', target: ownerUid, call: '', meta: {} }],
          release: { ownerUid },
        }),
      ),
    )
    // Whoever asks may have been refused just before units came back on somebody else's account.
    const { data: quota } = await read(db, paths.quota(ownerUid, month))
    const hasUnits = quota === undefined || quota.leased < quota.limit
    if (!hasUnits) fruitlessUntilMs.set(ownerUid, now() + FRUITLESS_MS)
    return hasUnits
  }

  return async (ownerUid, always) => {
    // A refused caller shares the run that is under way: another one would find nothing more.
    const current = underWay.get(ownerUid)
    if (current && !always) return current
    if (!always && now() < (fruitlessUntilMs.get(ownerUid) ?? 0)) return false
    const started = reclaim(ownerUid).finally(() => underWay.delete(ownerUid))
    underWay.set(ownerUid, started)
    return started
  }
}
