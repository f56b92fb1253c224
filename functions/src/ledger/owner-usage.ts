import type { Firestore } from 'firebase-admin/firestore'
import type { Usage } from '@vitrine/core/log/segment'
import { paths } from '../store/documents.ts'

/** Units of `tools.invoke` that all agents of an owner have spent in a month, from the usage documents. */
export async function ownerUsage(
  db: Firestore,
  ownerUid: string,
  month: string,
): Promise<{ used: number; agents: { agentId: string; usage: Usage & { orgId: string } }[] }> {
  const owned = await db.collection('agents').where('ownerUid', '==', ownerUid).select().get()
  if (owned.empty) return { used: 0, agents: [] }
  const documents = await db.getAll(...owned.docs.map((agent) => db.doc(paths.usage(agent.ref.path, month))))
  const agents = documents.flatMap((doc, i) =>
    doc.exists ? [{ agentId: owned.docs[i]!.id, usage: doc.data() as Usage & { orgId: string } }] : [],
  )
  return { used: agents.reduce((sum, { usage }) => sum + usage.invoked - usage.credited, 0), agents }
}
