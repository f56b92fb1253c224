import type { Firestore } from 'firebase-admin/firestore'
import { logs, paths, type UsageDoc } from '../store/documents.ts'
import { collection } from '../store/path.ts'
import { monthUsage } from './month-usage.ts'

const CHAINS_AT_A_TIME = 16

/** Units of `tools.invoke` that all agents of an owner have spent in a month, and the agents that spent or leased any. */
export async function ownerUsage(
  db: Firestore,
  ownerUid: string,
  month: string,
): Promise<{ used: number; agents: { agentId: string; usage: UsageDoc }[] }> {
  const owned = (await collection(db, paths.agents).where('ownerUid', '==', ownerUid).select().get()).docs
  const agents: { agentId: string; usage: UsageDoc }[] = []
  async function work(): Promise<void> {
    for (let agent = owned.pop(); agent; agent = owned.pop()) {
      const usage = await monthUsage(db, logs.agent(agent.id), month)
      if (usage) agents.push({ agentId: agent.id, usage })
    }
  }
  await Promise.all(Array.from({ length: CHAINS_AT_A_TIME }, work))
  return { used: agents.reduce((sum, { usage }) => sum + usage.invoked - usage.credited, 0), agents }
}
