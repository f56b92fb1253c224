import type { Firestore } from 'firebase-admin/firestore'
import type { Usage } from '@vitrine/core/log/segment'
import { monthEnd } from '@vitrine/core/names'
import { paths } from '../store/documents.ts'
import { collection, select } from '../store/path.ts'

/** A chain's spending in a month, as of its entry `seq`. */
export interface MonthUsage extends Usage {
  orgId: string
  seq: number
}

/**
 * What a chain has spent in a month, from its last segment of that month; undefined for none. The usage document of the
 * month follows only now and then, so nothing is decided by it.
 */
export async function monthUsage(db: Firestore, log: string, month: string): Promise<MonthUsage | undefined> {
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
