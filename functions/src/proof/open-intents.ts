import type { Firestore } from 'firebase-admin/firestore'
import type { Entry } from '@vitrine/core/log/entry'
import { paths } from '../store/documents.ts'
import { collection } from '../store/path.ts'

/** The intents of a chain that are still open, as far as it was read. */
export interface OpenIntents {
  /** Reads on up to sequence number `end` (exclusive), or to the end of the chain. */
  readTo(end?: number): Promise<void>
  /** In the order of the chain. */
  list(): Entry[]
  /** All intents before this sequence number are closed and need not be read again. */
  closedBefore(): number
}

const SEGMENTS_AT_A_TIME = 100

export function openIntents(db: Firestore, log: string, from: number): OpenIntents {
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
        for (const doc of page.docs) doc.data().entries.forEach(take)
        if (page.size < SEGMENTS_AT_A_TIME) return
      }
    },
    list: () => [...open.values()],
    closedBefore: () => Math.min(position, ...[...open.values()].map((entry) => entry.seq)),
  }
}
