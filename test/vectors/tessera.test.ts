import { describe, expect, it } from 'vitest'
import { bytesToHex, concatBytes } from '@vitrine/core/bytes'
import { verifyCheckpoint, type LogTrust, type VerifiedCheckpoint } from '@vitrine/core/log/checkpoint'
import {
  appendLeaf,
  consistencyNodes,
  emptyFrontier,
  foldProof,
  frontierRoot,
  HASH_BYTES,
  inclusionNodes,
  leafHash,
  verifyConsistency,
  verifyInclusion,
} from '@vitrine/core/log/merkle'
import { parseVerifierKey } from '@vitrine/core/log/note'
import {
  edgeTiles,
  growEdge,
  nodeReader,
  partialTiles,
  restoreEdge,
  tilePath,
  tilesFor,
  type TileData,
} from '@vitrine/core/log/tiles'
import { formatTlogProof, parseTlogProof, verifyTlogProof } from '@vitrine/core/log/tlog-proof'
import { listVectors, readVector, vectors } from './files.ts'

const SIZE_MAX = 15
const SIZES = Array.from({ length: SIZE_MAX + 1 }, (_, size) => size)
const read = (name: string) => readVector('tessera', 'testdata', 'log', name)

/** Entries as tlog-tiles bundles them: a length (16 bits, big-endian) before each. */
function parseBundle(bundle: Buffer): Uint8Array[] {
  const entries: Uint8Array[] = []
  for (let at = 0; at < bundle.length; at += 2 + entries.at(-1)!.length) {
    const entry = bundle.subarray(at + 2, at + 2 + bundle.readUInt16BE(at))
    expect(entry).toHaveLength(bundle.readUInt16BE(at))
    entries.push(entry)
  }
  return entries
}

/** The log's only tile at a size, as the log stored it. */
const tileAt = (size: number): TileData[] =>
  partialTiles(size).map((tile) => ({ ...tile, hashes: read(tilePath(tile)) }))

function trust(): LogTrust {
  const key = parseVerifierKey(readVector('tessera', 'testdata', 'log.vkey').toString().trim())
  if (!key.ok) throw new Error(key.error.reason)
  return { origin: key.value.name, logKeys: [key.value] }
}

async function verified(name: string): Promise<VerifiedCheckpoint> {
  const result = await verifyCheckpoint(read(name).toString(), trust())
  if (!result.ok) throw new Error(`${name}: ${result.error.reason}`)
  return result.value
}

describe.runIf(vectors !== undefined)('the Tessera log', () => {
  it('has a signed checkpoint at each size, and the last one twice', async () => {
    for (const size of SIZES) expect((await verified(`checkpoint.${size}`)).checkpoint.size).toBe(size)
    expect(read('checkpoint').equals(read(`checkpoint.${SIZE_MAX}`))).toBe(true)
    expect(JSON.parse(read('.state/treeState').toString())).toEqual({
      size: SIZE_MAX,
      root: Buffer.from((await verified('checkpoint')).checkpoint.root).toString('base64'),
    })
  })

  it('has no checkpoint that survives the change of one character', async () => {
    const signed = read(`checkpoint.${SIZE_MAX}`).toString()
    for (let at = 0; at < signed.length; at++) {
      const changed = signed.slice(0, at) + (signed[at] === 'A' ? 'B' : 'A') + signed.slice(at + 1)
      expect(await verifyCheckpoint(changed, trust()), changed).toMatchObject({ ok: false })
    }
  })

  it('has the roots and tiles that its entries give, at each size', async () => {
    for (const size of SIZES) {
      const entries = size === 0 ? [] : parseBundle(read(`tile/entries/000.p/${size}`))
      expect(entries).toHaveLength(size)
      const frontier = emptyFrontier()
      const edge = restoreEdge([], 0)
      for (const entry of entries) {
        appendLeaf(frontier, leafHash(entry))
        growEdge(edge, leafHash(entry))
      }
      expect(bytesToHex(frontierRoot(frontier))).toBe(
        bytesToHex((await verified(`checkpoint.${size}`)).checkpoint.root),
      )
      expect(edgeTiles(edge).map(({ hashes }) => bytesToHex(hashes))).toEqual(
        tileAt(size).map(({ hashes }) => bytesToHex(hashes)),
      )
      expect(bytesToHex(concatBytes(...entries.map(leafHash)))).toBe(
        tileAt(size)
          .map(({ hashes }) => bytesToHex(hashes))
          .join(''),
      )
    }
  })

  it('is consistent between each two checkpoints, by proofs out of its tiles', async () => {
    const heads = await Promise.all(SIZES.map((size) => verified(`checkpoint.${size}`)))
    let pairs = 0
    for (const { checkpoint: second } of heads) {
      for (const { checkpoint: first } of heads.slice(1, second.size + 1)) {
        const plan = consistencyNodes(first.size, second.size)
        const proof = foldProof(plan, nodeReader(tileAt(second.size), second.size))
        const claim = { size1: first.size, size2: second.size, root1: first.root, root2: second.root, proof }
        expect(verifyConsistency(claim)).toBe(true)
        expect(verifyConsistency({ ...claim, root1: leafHash(first.root) })).toBe(false)
        pairs += 1
      }
    }
    expect(pairs).toBe((SIZE_MAX * (SIZE_MAX + 1)) / 2)
  })

  it('includes each entry at each size, also as a proof to keep', async () => {
    for (const size of SIZES.slice(1)) {
      const { checkpoint } = await verified(`checkpoint.${size}`)
      for (const [index, entry] of parseBundle(read(`tile/entries/000.p/${size}`)).entries()) {
        const plan = inclusionNodes(index, size)
        expect(tilesFor(plan.flat(), size).length).toBeLessThanOrEqual(1)
        const proof = foldProof(plan, nodeReader(tileAt(size), size))
        expect(verifyInclusion({ index, size, leafHash: leafHash(entry), proof, root: checkpoint.root })).toBe(true)
        const kept = parseTlogProof(
          formatTlogProof({ index, proof, checkpoint: read(`checkpoint.${size}`).toString() }),
        )
        if (!kept.ok) throw new Error(kept.error.reason)
        expect(await verifyTlogProof(kept.value, leafHash(entry), trust())).toMatchObject({ ok: true })
        expect(
          await verifyTlogProof(kept.value, leafHash(kept.value.proof[0] ?? entry.subarray(1)), trust()),
        ).toMatchObject({ ok: false })
      }
    }
  })

  it('holds no other files than the ones read here', () => {
    const sizes = SIZES.slice(1).map(String)
    const known = [
      ...['LICENSE', 'testdata/log.vkey', 'testdata/log/checkpoint'],
      ...SIZES.map((size) => `testdata/log/checkpoint.${size}`),
      ...sizes.flatMap((size) => [`testdata/log/tile/0/000.p/${size}`, `testdata/log/tile/entries/000.p/${size}`]),
      ...['publish.lock', 'treeState', 'treeState.lock', 'version'].map((name) => `testdata/log/.state/${name}`),
    ]
    expect(listVectors('tessera')).toEqual(known.sort())
    expect(sizes.every((size) => read(`tile/0/000.p/${size}`).length === Number(size) * HASH_BYTES)).toBe(true)
  })
})
