import type { Firestore } from 'firebase-admin/firestore'
import { bytesEqual, concatBytes } from '@vitrine/core/bytes'
import { foldProof, HASH_BYTES, type ProofPlan } from '@vitrine/core/log/merkle'
import {
  nodeReader,
  partialTiles,
  TILE_WIDTH,
  tilePath,
  tilesFor,
  type Tile,
  type TileData,
} from '@vitrine/core/log/tiles'
import { paths, type CheckpointDoc, type TileDoc } from '../store/documents.ts'
import { read, readAll } from '../store/path.ts'

const ALREADY_EXISTS = 6

/**
 * Stores full tiles, create-only. Returns the first tile that is already stored with other hashes: then the chain
 * differs from the one checkpointed before.
 */
export async function createTiles(
  db: Firestore,
  log: string,
  orgId: string,
  tiles: readonly TileData[],
): Promise<Tile | undefined> {
  const stored = await Promise.all(tiles.map((tile) => createTile(db, log, orgId, tile)))
  return tiles.find((_, i) => !stored[i])
}

async function createTile(
  db: Firestore,
  log: string,
  orgId: string,
  { level, index, hashes }: TileData,
): Promise<boolean> {
  const path = paths.tile(log, level, index)
  const tile: TileDoc = { orgId, level, index, hashes }
  try {
    await db.doc(path).create(tile)
    return true
  } catch (error) {
    if ((error as { code?: number }).code !== ALREADY_EXISTS) throw error
    const { data: existing } = await read(db, path)
    return existing !== undefined && bytesEqual(existing.hashes, hashes)
  }
}

export function packEdge(tiles: readonly TileData[]): Uint8Array {
  return concatBytes(...tiles.map(({ hashes }) => hashes))
}

/** The partial tiles of a checkpoint. Throws RangeError if the edge's length does not fit the size. */
export function edgeOf({ size, edge }: Pick<CheckpointDoc, 'size' | 'edge'>): TileData[] {
  let offset = 0
  const tiles = partialTiles(size).map((tile) => {
    const hashes = edge.subarray(offset, (offset += tile.width * HASH_BYTES))
    return { ...tile, hashes }
  })
  if (offset !== edge.length)
    throw new RangeError(`the edge of checkpoint ${size} has ${edge.length} bytes, not ${offset}`)
  return tiles
}

/**
 * The hashes of a proof in the tree of a checkpoint, in one round trip. They are unverified: the caller verifies the
 * proof.
 */
export async function readProof(
  db: Firestore,
  log: string,
  checkpoint: CheckpointDoc,
  plan: ProofPlan,
): Promise<Uint8Array[]> {
  const needed = tilesFor(plan.flat(), checkpoint.size)
  const edge = new Map(edgeOf(checkpoint).map((tile) => [tilePath(tile), tile]))
  const full = needed.filter(({ width }) => width === TILE_WIDTH)
  const stored = await readAll(
    db,
    full.map(({ level, index }) => paths.tile(log, level, index)),
  )
  const tiles = [
    ...full.flatMap((tile, i) => {
      const hashes = stored[i]?.data?.hashes
      return hashes ? [{ ...tile, hashes }] : []
    }),
    ...needed.flatMap((tile) => edge.get(tilePath(tile)) ?? []),
  ]
  return foldProof(plan, nodeReader(tiles, checkpoint.size))
}
