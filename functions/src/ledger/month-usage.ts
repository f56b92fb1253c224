import type { Firestore } from 'firebase-admin/firestore'
import { monthEnd } from '@vitrine/core/names'
import { paths, type UsageDoc } from '../store/documents.ts'
import { collection, select } from '../store/path.ts'

/**
 * What a chain has spent in a month, from its last segment of that month; undefined for none. The usage document of the
 * month follows only now and then, so nothing is decided by it.
 */
export async function monthUsage(db: Firestore, log: string, month: string): Promise<UsageDoc | undefined> {
  const found = await select(collection(db, paths.segments(log)), 'orgId', 'first', 'count', 'usage')
    .where('at', '<', new Date(monthEnd(month)))
    .orderBy('at', 'desc')
    .orderBy('first', 'desc')
    .limit(1)
    .get()
  const segment = found.docs[0]?.data()
  if (segment?.usage.month !== month) return undefined
  const { orgId, first, count, usage } = segment
  return { ...usage, orgId, seq: first + count - 1 }
}
