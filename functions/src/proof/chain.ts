import type { Firestore } from 'firebase-admin/firestore'
import { paths, type SegmentDoc } from '../store/documents.ts'
import { collection } from '../store/path.ts'

/** Reading a chain's segments. Nothing in them is checked here. */

/** One page is in memory at a time: up to 256 entries per segment, usually far fewer. */
const SEGMENTS_AT_A_TIME = 64

/** The segment that holds entry `seq`. */
export async function segmentWith(db: Firestore, log: string, seq: number): Promise<SegmentDoc | undefined> {
  const found = await collection(db, paths.segments(log))
    .where('first', '<=', seq)
    .orderBy('first', 'desc')
    .limit(1)
    .get()
  const segment = found.docs[0]?.data()
  return segment && seq < segment.first + segment.count ? segment : undefined
}

export async function lastSegment(db: Firestore, log: string): Promise<SegmentDoc | undefined> {
  const found = await collection(db, paths.segments(log)).orderBy('first', 'desc').limit(1).get()
  return found.docs[0]?.data()
}

/** The segments that begin at entry `from` or later and before entry `end`, in order, as pages. */
export async function* segmentPages(
  db: Firestore,
  log: string,
  from: number,
  end: number,
): AsyncGenerator<SegmentDoc[], void> {
  const all = collection(db, paths.segments(log))
    .where('first', '>=', from)
    .where('first', '<', end)
    .orderBy('first')
    .limit(SEGMENTS_AT_A_TIME)
  for (let page = await all.get(); !page.empty; page = await all.startAfter(page.docs.at(-1)).get()) {
    yield page.docs.map((doc) => doc.data())
    if (page.size < SEGMENTS_AT_A_TIME) return
  }
}
