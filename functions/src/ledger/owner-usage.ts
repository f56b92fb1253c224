import type { Firestore } from 'firebase-admin/firestore'
import { logs, paths, type UsageDoc } from '../store/documents.ts'
import { collection, readAll } from '../store/path.ts'

/** Units of `tools.invoke` that all agents of an owner have spent in a month, from the usage documents. */
export async function ownerUsage(
  db: Firestore,
  ownerUid: string,
  month: string,
): Promise<{ used: number; agents: { agentId: string; usage: UsageDoc }[] }> {
  const owned = await collection(db, paths.agents).where('ownerUid', '==', ownerUid).select().get()
  const usages = await readAll(
    db,
    owned.docs.map(({ id }) => paths.usage(logs.agent(id), month)),
  )
  const agents = usages.flatMap(({ data: usage }, i) => (usage ? [{ agentId: owned.docs[i]!.id, usage }] : []))
  return { used: agents.reduce((sum, { usage }) => sum + usage.invoked - usage.credited, 0), agents }
}
