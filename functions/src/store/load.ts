import { coalesceMany } from '../lib/coalesce.ts'
import type { Path } from './path.ts'
import type { FirestoreRpc } from './rpc.ts'

/**
 * Reads documents by path in one round trip, shared with concurrent callers; undefined for a missing document. The
 * returned objects are shared too: don't change them.
 */
export type Load = <const Docs extends readonly object[]>(
  paths: readonly [...{ [I in keyof Docs]: Path<Docs[I]> }],
) => Promise<{ [I in keyof Docs]: Docs[I] | undefined }>

export function createLoad(rpc: Pick<FirestoreRpc, 'get'>): Load {
  const load = coalesceMany<object>(async (paths) => {
    if (paths.length === 0) return new Map()
    const found = await rpc.get(paths)
    return new Map(Array.from(found, ([path, { data }]) => [path, data]))
  })
  return load as unknown as Load
}

/**
 * Reads ahead what will probably be needed. The returned Load has these documents and asks the store only for others.
 * Called together with another load, it shares that one's round trip.
 */
export async function loadAhead(load: Load, paths: readonly Path<object>[]): Promise<Load> {
  const known = new Map<string, object | undefined>()
  const fetch = async (wanted: readonly Path<object>[]): Promise<void> => {
    const docs = wanted.length === 0 ? [] : await load(wanted)
    for (const [i, path] of wanted.entries()) known.set(path, docs[i])
  }
  await fetch(paths)
  const rest = async (wanted: readonly Path<object>[]) => {
    await fetch(wanted.filter((path) => !known.has(path)))
    return wanted.map((path) => known.get(path))
  }
  return rest as unknown as Load
}
