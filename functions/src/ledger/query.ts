import { Timestamp, type Firestore, type Query } from 'firebase-admin/firestore'
import type { Entry } from '@vitrine/core/log/entry'
import { facetFor, matches, type EntryFilter } from '@vitrine/core/log/facets'
import { entriesOf } from '@vitrine/core/log/segment'
import { paths, type SegmentDoc } from '../store/documents.ts'
import { collection, collectionGroup } from '../store/path.ts'

/** One chain, or all chains of an organization. */
export type Scope = { log: string } | { orgId: string }

export interface Wanted {
  filter: EntryFilter
  /** RFC 3339, inclusive. */
  from?: string | undefined
  to?: string | undefined
  pageSize: number
  cursor?: Cursor | undefined
}

/** The last entry of the previous page. */
interface Cursor {
  /** Path of its segment. */
  path: string
  seq: number
}

export interface Page {
  entries: Entry[]
  nextPageToken: string | null
}

/** Segments read at a time; a segment holds from one entry to many. */
const SEGMENTS_AT_A_TIME = 50

/**
 * Finds matching entries, newest first. Firestore selects segments by time and the narrowest facet (each query has an
 * index in firestore.indexes.json); their entries are filtered here.
 */
export async function findEntries(db: Firestore, scope: Scope, wanted: Wanted): Promise<Page> {
  const { pageSize, filter } = wanted
  let query = segmentsOf(db, scope, wanted)
  if (wanted.cursor) {
    const last = await db.doc(wanted.cursor.path).get()
    // Starts with the cursor's own segment, since only part of it may have been on the previous page.
    if (last.exists) query = query.startAt(last)
  }
  const entries: Entry[] = []
  for (
    let page = await query.limit(SEGMENTS_AT_A_TIME).get();
    !page.empty;
    page = await query.startAfter(page.docs.at(-1)).limit(SEGMENTS_AT_A_TIME).get()
  ) {
    for (const doc of page.docs) {
      const found = entriesOf(doc.data())
        .filter((entry) => matches(entry, filter) && isWithin(entry, wanted))
        .reverse()
      for (const entry of found) {
        if (wanted.cursor?.path === doc.ref.path && entry.seq >= wanted.cursor.seq) continue
        entries.push(entry)
        if (entries.length === pageSize)
          return { entries, nextPageToken: writePageToken({ path: doc.ref.path, seq: entry.seq }) }
      }
    }
    if (page.size < SEGMENTS_AT_A_TIME) break
  }
  return { entries, nextPageToken: null }
}

function segmentsOf(db: Firestore, scope: Scope, { filter, from, to }: Wanted): Query<SegmentDoc> {
  let query: Query<SegmentDoc> =
    'log' in scope
      ? collection(db, paths.segments(scope.log))
      : collectionGroup(db, paths.allSegments).where('orgId', '==', scope.orgId)
  const facet = facetFor(filter)
  if (facet !== undefined) query = query.where('facets', 'array-contains', facet)
  if (from !== undefined) query = query.where('at', '>=', Timestamp.fromMillis(Date.parse(from)))
  if (to !== undefined) query = query.where('at', '<=', Timestamp.fromMillis(Date.parse(to)))
  return query.orderBy('at', 'desc').orderBy('first', 'desc')
}

/** Entries of one segment share their time today; this check does not rely on it. */
function isWithin(entry: Entry, { from, to }: Wanted): boolean {
  const ms = Date.parse(entry.ts)
  return (from === undefined || ms >= Date.parse(from)) && (to === undefined || ms <= Date.parse(to))
}

function writePageToken(cursor: Cursor): string {
  return Buffer.from(JSON.stringify([cursor.path, cursor.seq])).toString('base64url')
}

/** Null for a token that Vitrine did not issue, or issued for another chain. */
export function readPageToken(token: string, scope: Scope): Cursor | null {
  try {
    const [path, seq, ...rest] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[]
    const isOurs =
      typeof path === 'string' &&
      /^(agents|orgs)\/[\w-]+\/audit\/\d{16}$/.test(path) &&
      Number.isSafeInteger(seq) &&
      rest.length === 0
    if (!isOurs || ('log' in scope && !path.startsWith(`${scope.log}/audit/`))) return null
    return { path, seq: seq as number }
  } catch {
    return null
  }
}
