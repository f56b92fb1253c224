import type { DocumentData, Firestore } from 'firebase-admin/firestore'
import { coalesceMany } from '../lib/coalesce.ts'
import { answered } from './answered.ts'
import type { Path } from './path.ts'

/**
 * Reads documents by path in one round trip, shared with concurrent callers; undefined for a missing document. The
 * returned objects are shared too: don't change them.
 */
export type Load = <const Docs extends readonly object[]>(
  paths: readonly [...{ [I in keyof Docs]: Path<Docs[I]> }],
) => Promise<{ [I in keyof Docs]: Docs[I] | undefined }>

export function createLoad(db: Firestore): Load {
  const load = coalesceMany<DocumentData>(async (paths) => {
    const snapshots = await answered(db.getAll(...paths.map((path) => db.doc(path))))
    return new Map(snapshots.flatMap((snapshot) => (snapshot.exists ? [[snapshot.ref.path, snapshot.data()!]] : [])))
  })
  return load as unknown as Load
}
