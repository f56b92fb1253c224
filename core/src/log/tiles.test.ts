import { beforeAll, describe, expect, it } from 'vitest'
import { bytesToHex, concatBytes } from '../bytes.ts'
import {
  appendLeaf,
  consistencyNodes,
  emptyFrontier,
  foldProof,
  frontierNodes,
  frontierRoot,
  inclusionNodes,
  nodeHash,
  verifyConsistency,
  verifyInclusion,
  type ProofPlan,
} from './merkle.ts'
import {
  edgeTiles,
  growEdge,
  nodeInTile,
  nodeReader,
  partialTiles,
  restoreEdge,
  tilePath,
  tilesCompleted,
  tilesFor,
  TILE_WIDTH,
  type Tile,
  type TileData,
} from './tiles.ts'

const SIZES = [1, 2, 7, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_049]
const SIZE_MAX = SIZES.at(-1)!

/** Cheap and all different. */
function leaf(index: number): Uint8Array {
  const hash = new Uint8Array(32)
  new DataView(hash.buffer).setUint32(28, index)
  return hash
}

// The tiles that a log would store: full ones once, and the edge and root at each checkpointed size.
const stored = new Map<string, TileData>()
const edges = new Map<number, TileData[]>()
const roots = new Map<number, Uint8Array>()

beforeAll(() => {
  const edge = restoreEdge([], 0)
  const frontier = emptyFrontier()
  for (let i = 0; i < SIZE_MAX; i++) {
    for (const tile of growEdge(edge, leaf(i))) stored.set(tilePath(tile), tile)
    appendLeaf(frontier, leaf(i))
    if (!SIZES.includes(edge.size)) continue
    edges.set(edge.size, edgeTiles(edge))
    roots.set(edge.size, frontierRoot(frontier))
  }
})

/**
 * Reads as a server does: full tiles and the checkpoint's partial ones from the store, the partial tile at level 0 from
 * entries.
 */
function fetch(tiles: Tile[], size: number): TileData[] {
  return tiles.map((tile) => {
    if (tile.width === TILE_WIDTH) return stored.get(tilePath(tile))!
    if (tile.level > 0) return edges.get(size)!.find((partial) => tilePath(partial) === tilePath(tile))!
    return {
      ...tile,
      hashes: concatBytes(...Array.from({ length: tile.width }, (_, i) => leaf(tile.index * TILE_WIDTH + i))),
    }
  })
}

function prove(plan: ProofPlan, size: number): Uint8Array[] {
  return foldProof(plan, nodeReader(fetch(tilesFor(plan.flat(), size), size), size))
}

describe('a log of tiles', () => {
  it('proves inclusion at every size, from at most two tiles a level', () => {
    for (const size of SIZES) {
      const indexes = [0, 1, 2, 127, 254, 255, 256, 257, 32_768, 65_279, 65_280, 65_535, 65_536, size - 1].filter(
        (index) => index < size,
      )
      const levels = partialTiles(size).at(-1)!.level + 1
      for (const index of indexes) {
        const plan = inclusionNodes(index, size)
        expect(tilesFor(plan.flat(), size).length).toBeLessThanOrEqual(2 * levels)
        const claim = { index, size, leafHash: leaf(index), proof: prove(plan, size), root: roots.get(size)! }
        expect(verifyInclusion(claim), `${index} of ${size}`).toBe(true)
        expect(verifyInclusion({ ...claim, leafHash: leaf(index + 1) }), `${index} of ${size}`).toBe(false)
      }
    }
  })

  it('proves consistency between all pairs of sizes', () => {
    for (const size2 of SIZES) {
      for (const size1 of SIZES.filter((size) => size <= size2)) {
        const proof = prove(consistencyNodes(size1, size2), size2)
        const claim = { size1, size2, root1: roots.get(size1)!, root2: roots.get(size2)!, proof }
        expect(verifyConsistency(claim), `${size1} of ${size2}`).toBe(true)
      }
    }
  })

  it('gives the frontier of every size', () => {
    for (const size of SIZES) {
      const nodes = prove(
        frontierNodes(size).map((node) => [node]),
        size,
      )
      const root = nodes.reduceRight((right, left) => nodeHash(left, right))
      expect(bytesToHex(root)).toBe(bytesToHex(roots.get(size)!))
    }
  })

  it('grows from a stored edge as if it had never stopped', () => {
    for (const [i, size] of SIZES.slice(0, -1).entries()) {
      const next = SIZES[i + 1]!
      if (next - size > 1_000) continue
      const edge = restoreEdge(fetch(partialTiles(size), size), size)
      const completed: Tile[] = []
      for (let index = size; index < next; index++) completed.push(...growEdge(edge, leaf(index)))
      expect(edgeTiles(edge)).toEqual(edges.get(next))
      for (const tile of completed) expect(tile).toEqual(stored.get(tilePath(tile)))
      expect(completed.map(tilePath).sort()).toEqual(tilesCompleted(size, next).map(tilePath).sort())
    }
  })

  it('completes each full tile once', () => {
    const [tiles, steps] = [tilesCompleted(0, SIZE_MAX).map(tilePath), [0, ...SIZES]]
    expect([...stored.keys()].sort()).toEqual([...tiles].sort())
    expect(
      steps
        .slice(1)
        .flatMap((size, i) => tilesCompleted(steps[i]!, size).map(tilePath))
        .sort(),
    ).toEqual(tiles.sort())
  })

  it('makes no proof that verifies from a tile with a wrong hash', () => {
    const [index, size] = [300, 65_537]
    const plan = inclusionNodes(index, size)
    const tiles = fetch(tilesFor(plan.flat(), size), size)
    for (const [i, tile] of tiles.entries()) {
      const hashes = Uint8Array.from(tile.hashes)
      for (let at = 0; at < hashes.length; at += 32) hashes[at]! ^= 1
      const proof = foldProof(plan, nodeReader(tiles.with(i, { ...tile, hashes }), size))
      expect(
        verifyInclusion({ index, size, leafHash: leaf(index), proof, root: roots.get(size)! }),
        tilePath(tile),
      ).toBe(false)
    }
  })

  it('refuses tiles that are missing or too short', () => {
    const plan = inclusionNodes(0, 257)
    const tiles = fetch(tilesFor(plan.flat(), 257), 257)
    const short = tiles.map((tile) => ({ ...tile, hashes: tile.hashes.subarray(32) }))
    expect(() => foldProof(plan, nodeReader([], 257))).toThrow(/tile\/0\/000 is missing/)
    expect(() => foldProof(plan, nodeReader(short, 257))).toThrow(RangeError)
    expect(() => restoreEdge([], 1)).toThrow(RangeError)
    expect(() => restoreEdge(edges.get(257)!, 258)).toThrow(RangeError)
    expect(() => growEdge(restoreEdge([], 0), new Uint8Array(31))).toThrow(RangeError)
  })
})

describe('arithmetic', () => {
  it('follows the example of the specification: 70,000 entries', () => {
    const full = tilesCompleted(0, 70_000)
    expect([0, 1, 2].map((level) => full.filter((tile) => tile.level === level).length)).toEqual([273, 1, 0])
    expect(partialTiles(70_000)).toEqual([
      { level: 0, index: 273, width: 112 },
      { level: 1, index: 1, width: 17 },
      { level: 2, index: 0, width: 1 },
    ])
    expect(partialTiles(256)).toEqual([{ level: 1, index: 0, width: 1 }])
    expect(partialTiles(0)).toEqual([])
  })

  it('names tiles as the specification does', () => {
    expect(tilePath({ level: 0, index: 1_234_067, width: 256 })).toBe('tile/0/x001/x234/067')
    expect(tilePath({ level: 1, index: 0, width: 3 })).toBe('tile/1/000.p/3')
    expect(tilePath({ level: 2, index: 1_000, width: 255 })).toBe('tile/2/x001/000.p/255')
  })

  it('places a subtree of 2^8 leaves one level up, and smaller ones across the hashes they fold from', () => {
    expect(nodeInTile({ level: 8, index: 3 }, 1_500)).toEqual({
      tile: { level: 1, index: 0, width: 5 },
      first: 3,
      count: 1,
    })
    expect(nodeInTile({ level: 7, index: 3 }, 1_500)).toEqual({
      tile: { level: 0, index: 1, width: 256 },
      first: 128,
      count: 128,
    })
    expect(nodeInTile({ level: 2, index: 374 }, 1_500)).toEqual({
      tile: { level: 0, index: 5, width: 220 },
      first: 216,
      count: 4,
    })
  })

  it('refuses nodes beyond the tree and sizes that do not grow', () => {
    expect(() => nodeInTile({ level: 2, index: 375 }, 1_500)).toThrow(RangeError)
    expect(() => nodeInTile({ level: 8, index: 5 }, 1_500)).toThrow(RangeError)
    expect(() => nodeInTile({ level: 0, index: -1 }, 1)).toThrow(RangeError)
    expect(() => tilesCompleted(2, 1)).toThrow(RangeError)
    expect(() => partialTiles(-1)).toThrow(RangeError)
    expect(() => partialTiles(2 ** 53)).toThrow(RangeError)
  })
})
