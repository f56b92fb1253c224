import type { CollectionReference, DocumentReference, Firestore, Query, Timestamp } from 'firebase-admin/firestore'

declare const kept: unique symbol

/** The path of a document in the database, and the type of the document. */
export type Path<Doc extends object> = string & { readonly [kept]?: Doc }

/** Gives a path its type. Nothing else does, so each path is declared once, together with its document. */
export function path<Doc extends object>(text: string): Path<Doc> {
  return text
}

/** The path of a collection, and the type of its documents. */
export type CollectionPath<Doc extends object> = string & { readonly [kept]?: Doc }

export function collectionPath<Doc extends object>(text: string): CollectionPath<Doc> {
  return text
}

export function collection<Doc extends object>(db: Firestore, at: CollectionPath<Doc>): CollectionReference<Doc> {
  const untyped: unknown = db.collection(at)
  return untyped as CollectionReference<Doc>
}

/** All collections of this name. */
export function collectionGroup<Doc extends object>(db: Firestore, name: CollectionPath<Doc>): Query<Doc> {
  const untyped: unknown = db.collectionGroup(name)
  return untyped as Query<Doc>
}

export function reference<Doc extends object>(db: Firestore, at: Path<Doc>): DocumentReference<Doc> {
  const untyped: unknown = db.doc(at)
  return untyped as DocumentReference<Doc>
}

/** A query that reads only these fields. */
export function select<Doc extends object, Field extends keyof Doc & string>(
  query: Query<Doc>,
  ...fields: Field[]
): Query<Pick<Doc, Field>> {
  return query.select(...fields) as Query<Pick<Doc, Field>>
}

/** A document as read now. `version` makes a later write fail if another write came in between. */
export interface Read<Doc extends object> {
  data: Doc | undefined
  version: Timestamp | undefined
}

export async function read<Doc extends object>(db: Firestore, at: Path<Doc>): Promise<Read<Doc>> {
  const snapshot = await reference(db, at).get()
  return { data: snapshot.data(), version: snapshot.updateTime }
}

/** Several documents in one round trip, in the order of their paths. */
export async function readAll<const Docs extends readonly object[]>(
  db: Firestore,
  paths: readonly [...{ [I in keyof Docs]: Path<Docs[I]> }],
): Promise<{ [I in keyof Docs]: Read<Docs[I]> }> {
  if (paths.length === 0) return [] as unknown as { [I in keyof Docs]: Read<Docs[I]> }
  const snapshots = await db.getAll(...(paths as readonly string[]).map((at): DocumentReference => db.doc(at)))
  return snapshots.map((snapshot) => ({ data: snapshot.data(), version: snapshot.updateTime })) as unknown as {
    [I in keyof Docs]: Read<Docs[I]>
  }
}
