import type { Firestore } from 'firebase-admin/firestore'
import type { Segment } from '@vitrine/core/log/segment'

/** Reads a chain's segments without checking them. */
export type StoredSegment = Omit<Segment, 'at'>

/** One page is in memory at a time: up to 256 entries per segment, usually far fewer. */
const SEGMENTS_AT_A_TIME = 64

/** The segment that holds entry `seq`. */
export async function segmentWith(db: Firestore, log: string, seq: number): Promise<StoredSegment | undefined> {
  const found = await db.collection(`${log}/audit`).where('first', '<=', seq).orderBy('first', 'desc').limit(1).get()
  const segment = found.docs[0]?.data() as StoredSegment | undefined
  return segment && seq < segment.first + segment.count ? segment : undefined
}

export async function lastSegment(db: Firestore, log: string): Promise<StoredSegment | undefined> {
  const found = await db.collection(`${log}/audit`).orderBy('first', 'desc').limit(1).get()
  return found.docs[0]?.data() as StoredSegment | undefined
}

/** The segments that begin at entry `from` or later and before entry `end`, in order, as pages. */
export async function* segmentPages(
  db: Firestore,
  log: string,
  from: number,
  end: number,
): AsyncGenerator<StoredSegment[], void> {
  const all = db
    .collection(`${log}/audit`)
    .where('first', '>=', from)
    .where('first', '<', end)
    .orderBy('first')
    .limit(SEGMENTS_AT_A_TIME)
  for (let page = await all.get(); !page.empty; page = await all.startAfter(page.docs.at(-1)).get()) {
    yield page.docs.map((doc) => doc.data() as StoredSegment)
    if (page.size < SEGMENTS_AT_A_TIME) return
  }
}
