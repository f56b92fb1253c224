import type { DocumentData, Firestore } from 'firebase-admin/firestore'
import { coalesceMany } from '../lib/coalesce.ts'
import { answered } from './answered.ts'

/** Reads documents by path in one round trip, shared with concurrent callers. What comes back is shared too: don't change it. */
export type Load = (paths: string[]) => Promise<(DocumentData | undefined)[]>

export function createLoad(db: Firestore): Load {
  return coalesceMany(async (paths) => {
    const snapshots = await answered(db.getAll(...paths.map((path) => db.doc(path))))
    return new Map(snapshots.flatMap((snapshot) => (snapshot.exists ? [[snapshot.ref.path, snapshot.data()!]] : [])))
  })
}
