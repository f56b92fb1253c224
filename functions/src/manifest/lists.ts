import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { DocumentReference, Firestore, Timestamp } from 'firebase-admin/firestore'
import { LRUCache } from 'lru-cache'
import { paths, type ListParts, type StoredList } from '../store/documents.ts'
import type { Load } from '../store/load.ts'

/**
 * Lists of tools at rest. A short one is in the document that pins it. A long one, up to MANIFEST_BYTES_MAX, is in parts
 * below that document, compressed and named by its own hash, so that calls read no more than the reference, and an
 * instance reads the parts once.
 */

/** As JSON text. The document that pins a list may hold another one that waits for approval. */
const INLINE_BYTES_MAX = 256 * 1024
/** Firestore takes a document of 1 MiB. */
const PART_BYTES_MAX = 900 * 1024
/** Total length of the texts that are kept. */
const KEPT_LENGTH_MAX = 32 * 1024 * 1024

/** What a document says of its lists. */
interface Listed {
  manifest: StoredList | null
  manifestPending: StoredList | null
}

/** A document whose lists are there as JSON text. */
export type Inlined<Doc extends Listed> = Omit<Doc, keyof Listed> & {
  [Field in keyof Listed]: Doc[Field] extends StoredList ? string : string | null
}

export interface Lists {
  /**
   * Reads lists that are stored in parts; `at` is the path of `doc`. Throws an error of code 14 (UNAVAILABLE) if one was
   * replaced meanwhile.
   */
  inlined<Doc extends Listed>(at: string, doc: Doc): Promise<Inlined<Doc>>
}

export function createLists(load: Load): Lists {
  const kept = new LRUCache<string, string>({ maxSize: KEPT_LENGTH_MAX, sizeCalculation: (text) => text.length })

  async function textOf(at: string, list: StoredList | null): Promise<string | null> {
    if (!isLong(list)) return list
    const known = kept.get(list.sha256)
    if (known !== undefined) return known
    const docs = await load(partsOf(at, list))
    const bytes = docs.flatMap((doc) => (doc ? [doc.bytes] : []))
    const text = bytes.length === list.parts ? (await promisify(gunzip)(Buffer.concat(bytes))).toString() : ''
    if (sha256(text) !== list.sha256) throw Object.assign(new Error('A list was replaced.'), { code: 14 })
    kept.set(list.sha256, text)
    return text
  }

  return {
    async inlined(at, doc) {
      if (!isLong(doc.manifest) && !isLong(doc.manifestPending)) return doc as Inlined<typeof doc>
      const [manifest, manifestPending] = await Promise.all([textOf(at, doc.manifest), textOf(at, doc.manifestPending)])
      return { ...doc, manifest, manifestPending } as Inlined<typeof doc>
    },
  }
}

/**
 * What the document at `at` is to hold of a list. The parts of a long one are written first: until a document refers to
 * them they mean nothing.
 */
export async function storeList(db: Firestore, at: string, text: string): Promise<StoredList> {
  if (Buffer.byteLength(text) <= INLINE_BYTES_MAX) return text
  const bytes = await promisify(gzip)(text)
  const list = { sha256: sha256(text), parts: Math.ceil(bytes.length / PART_BYTES_MAX) }
  const writes = partsOf(at, list).map((path, i) =>
    db.doc(path).set({ bytes: bytes.subarray(i * PART_BYTES_MAX, (i + 1) * PART_BYTES_MAX) }),
  )
  await Promise.all(writes)
  return list
}

/** The same for the lists of a changed document: what `doc` holds already stays as `stored` has it. */
export async function storeLists(
  db: Firestore,
  at: string,
  { stored, doc }: { stored: Listed; doc: Inlined<Listed> },
  changed: Inlined<Listed>,
): Promise<Listed> {
  const store = (text: string | null) => {
    if (text === null || text === doc.manifest) return text && stored.manifest
    return text === doc.manifestPending ? stored.manifestPending : storeList(db, at, text)
  }
  const [manifest, manifestPending] = await Promise.all([store(changed.manifest), store(changed.manifestPending)])
  return { manifest, manifestPending }
}

/** A part of a list that a document refers to, as it is before the document is changed. */
export interface PartThen {
  sha256: string
  ref: DocumentReference
  at: Timestamp | undefined
}

export async function partsThen(db: Firestore, at: string, doc: Listed): Promise<PartThen[]> {
  const parts = referencesOf(doc).flatMap((list) =>
    partsOf(at, list).map((path) => ({ sha256: list.sha256, ref: db.doc(path) })),
  )
  if (parts.length === 0) return []
  const snapshots = await db.getAll(...parts.map(({ ref }) => ref))
  return parts.map((part, i) => ({ ...part, at: snapshots[i]!.updateTime }))
}

/**
 * Deletes what the changed document does not refer to any more. A part that was written again meanwhile stays: somebody
 * is about to refer to it. What cannot be deleted is left over, and does no harm.
 */
export async function dropParts(parts: readonly PartThen[], after: Listed): Promise<void> {
  const used = new Set(referencesOf(after).map(({ sha256 }) => sha256))
  const unused = parts.filter(({ sha256, at }) => at !== undefined && !used.has(sha256))
  await Promise.allSettled(unused.map(({ ref, at }) => ref.delete({ lastUpdateTime: at! })))
}

function referencesOf({ manifest, manifestPending }: Listed): ListParts[] {
  return [manifest, manifestPending].filter(isLong)
}

function isLong(list: StoredList | null): list is ListParts {
  return typeof list === 'object' && list !== null
}

function partsOf(at: string, { sha256, parts }: ListParts) {
  return Array.from({ length: parts }, (_, i) => paths.listPart(at, sha256, i))
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
