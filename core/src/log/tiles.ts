import { concatBytes } from '../bytes.ts'
import { HASH_BYTES, nodeHash, type TreeNode } from './merkle.ts'

/**
 * Tiles of c2sp.org/tlog-tiles (Merkle Tree): a tree cut into pieces of 8 levels, so that any proof needs only a few
 * reads.
 *
 * Full tiles never change. A tree of size n has at most one partial tile per level, at its right edge. The one at level
 * 0 holds leaf hashes and is computed from at most 255 entries; those above (`partialTiles`) are stored with each
 * checkpoint. For a proof at size n, `tilesFor` names at most two tiles per level.
 */

export const TILE_LEVELS = 8
export const TILE_WIDTH = 256

export interface Tile {
  /** Level 0 holds leaf hashes; at level l each hash covers 256^l leaves. */
  level: number
  index: number
  /** Number of hashes, 1 to 256; a tile with fewer than 256 is partial. */
  width: number
}

/** A tile with its hashes concatenated, 32 bytes each, as tlog-tiles serves them. */
export interface TileData extends Tile {
  hashes: Uint8Array
}

/** Path below a log's prefix (tlog-tiles, Merkle Tree). Also used as a tile's key in maps. */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? []
  const partial = width === TILE_WIDTH ? '' : `.p/${width}`
  return `tile/${level}/${groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')}${partial}`
}

/** The full tiles of a tree of `newSize` that a tree of `oldSize` does not have, lower levels first. */
export function tilesCompleted(oldSize: number, newSize: number): Tile[] {
  requireSizes(oldSize, newSize)
  const tiles: Tile[] = []
  for (let level = 0, leaves = TILE_WIDTH; leaves <= newSize; level++, leaves *= TILE_WIDTH) {
    const end = Math.floor(newSize / leaves)
    for (let index = Math.floor(oldSize / leaves); index < end; index++) tiles.push({ level, index, width: TILE_WIDTH })
  }
  return tiles
}

/** The partial tiles of a tree (tlog-tiles, Partial Tiles), lower levels first. */
export function partialTiles(size: number): Tile[] {
  requireSizes(0, size)
  const tiles: Tile[] = []
  for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
    const width = hashes % TILE_WIDTH
    if (width > 0) tiles.push({ level, index: Math.floor(hashes / TILE_WIDTH), width })
  }
  return tiles
}

/** Where to find a complete subtree's root: fold `count` hashes of the tile, starting at `first`. */
export interface TilePlace {
  tile: Tile
  first: number
  count: number
}

/** `size` decides how wide the tile is. Throws RangeError if the tree doesn't hold the whole subtree. */
export function nodeInTile({ level, index }: TreeNode, size: number): TilePlace {
  const tileLevel = Math.floor(level / TILE_LEVELS)
  const count = 2 ** (level % TILE_LEVELS)
  const hashesInLevel = Math.floor(size / TILE_WIDTH ** tileLevel)
  if (index < 0 || (index + 1) * count > hashesInLevel)
    throw new RangeError(`no complete subtree ${level}/${index} in a tree of ${size}`)
  const tileIndex = Math.floor((index * count) / TILE_WIDTH)
  const width = Math.min(TILE_WIDTH, hashesInLevel - tileIndex * TILE_WIDTH)
  return { tile: { level: tileLevel, index: tileIndex, width }, first: (index * count) % TILE_WIDTH, count }
}

/**
 * The tiles that hold these nodes in a tree of this size, without repetitions. For a proof: `tilesFor(plan.flat(),
 * size)`.
 */
export function tilesFor(nodes: readonly TreeNode[], size: number): Tile[] {
  const tiles = new Map<string, Tile>()
  for (const node of nodes) {
    const { tile } = nodeInTile(node, size)
    tiles.set(tilePath(tile), tile)
  }
  return [...tiles.values()]
}

/**
 * Reads nodes from fetched tiles: `foldProof(plan, nodeReader(tiles, size))`. It does not check the hashes: with a
 * wrong one, the proof does not verify. Throws RangeError if a tile is missing or its length does not match its width.
 */
export function nodeReader(tiles: readonly TileData[], size: number): (node: TreeNode) => Uint8Array {
  const byPath = new Map(tiles.map((tile) => [tilePath(tile), tile.hashes]))
  return (node) => {
    const { tile, first, count } = nodeInTile(node, size)
    const hashes = byPath.get(tilePath(tile))
    if (hashes?.length !== tile.width * HASH_BYTES)
      throw new RangeError(`${tilePath(tile)} is missing or not ${tile.width} hashes long`)
    return foldTile(hashes, first, count)
  }
}

/** The right edge of a growing tree: for each level the hashes of its partial tile, or none. */
export interface TileEdge {
  size: number
  levels: Uint8Array[][]
}

/** The edge of a stored tree. Throws RangeError unless `tiles` are those that `partialTiles(size)` names. */
export function restoreEdge(tiles: readonly TileData[], size: number): TileEdge {
  const byPath = new Map(tiles.map((tile) => [tilePath(tile), tile.hashes]))
  const levels: Uint8Array[][] = []
  for (const tile of partialTiles(size)) {
    const hashes = byPath.get(tilePath(tile))
    if (hashes?.length !== tile.width * HASH_BYTES)
      throw new RangeError(`${tilePath(tile)} is missing or not ${tile.width} hashes long`)
    while (levels.length < tile.level) levels.push([])
    levels.push(Array.from({ length: tile.width }, (_, i) => hashAt(hashes, i)))
  }
  return { size, levels }
}

/** Appends in place and returns the tiles that become full, lower levels first; usually none. */
export function growEdge(edge: TileEdge, leafHash: Uint8Array): TileData[] {
  if (leafHash.length !== HASH_BYTES) throw new RangeError('a leaf hash has 32 bytes')
  const completed: TileData[] = []
  edge.size += 1
  let hash = leafHash
  for (let level = 0, leaves = TILE_WIDTH; ; level++, leaves *= TILE_WIDTH) {
    const row = (edge.levels[level] ??= [])
    row.push(hash)
    if (row.length < TILE_WIDTH) return completed
    const hashes = concatBytes(...row)
    completed.push({ level, index: edge.size / leaves - 1, width: TILE_WIDTH, hashes })
    edge.levels[level] = []
    hash = foldTile(hashes, 0, TILE_WIDTH)
  }
}

/** The current partial tiles. A checkpoint of this size stores those above level 0. */
export function edgeTiles({ size, levels }: TileEdge): TileData[] {
  return partialTiles(size).map((tile) => ({ ...tile, hashes: concatBytes(...(levels[tile.level] ?? [])) }))
}

function foldTile(hashes: Uint8Array, first: number, count: number): Uint8Array {
  let row = Array.from({ length: count }, (_, i) => hashAt(hashes, first + i))
  while (row.length > 1) row = Array.from({ length: row.length / 2 }, (_, i) => nodeHash(row[2 * i]!, row[2 * i + 1]!))
  return row[0]!
}

function hashAt(hashes: Uint8Array, index: number): Uint8Array {
  return hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES)
}

function requireSizes(oldSize: number, newSize: number): void {
  if (!Number.isSafeInteger(oldSize) || !Number.isSafeInteger(newSize) || oldSize < 0 || newSize < oldSize) {
    throw new RangeError(`no tree grows from ${oldSize} to ${newSize}`)
  }
}
