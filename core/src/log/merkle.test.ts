import { describe, expect, it } from 'vitest'
import { bytesToHex, utf8 } from '../bytes.ts'
import {
  appendLeaf,
  consistencyNodes,
  emptyFrontier,
  EMPTY_ROOT,
  foldProof,
  frontierNodes,
  frontierRoot,
  inclusionNodes,
  leafHash,
  nodeHash,
  restoreFrontier,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  type TreeNode,
} from './merkle.ts'

const SIZE_MAX = 70
const leaves = Array.from({ length: SIZE_MAX }, (_, i) => leafHash(utf8(`entry ${i}`)))

// RFC 6962 section 2.1, written as it is there: slow, recursive, and sharing nothing with the code under test but the
// hash. What was hashed before is remembered, by the first leaf and the number of leaves: each list is a part of `leaves`.

const hashed = new Map<Uint8Array, Map<number, Uint8Array>>()

function mth(d: Uint8Array[]): Uint8Array {
  if (d.length === 0) return EMPTY_ROOT
  if (d.length === 1) return d[0]!
  const known = hashed.get(d[0]!)?.get(d.length)
  if (known) return known
  const k = largestPowerBelow(d.length)
  const hash = nodeHash(mth(d.slice(0, k)), mth(d.slice(k)))
  hashed.set(d[0]!, (hashed.get(d[0]!) ?? new Map<number, Uint8Array>()).set(d.length, hash))
  return hash
}

function path(m: number, d: Uint8Array[]): Uint8Array[] {
  if (d.length === 1) return []
  const k = largestPowerBelow(d.length)
  return m < k ? [...path(m, d.slice(0, k)), mth(d.slice(k))] : [...path(m - k, d.slice(k)), mth(d.slice(0, k))]
}

/**
 * SUBTREE_SUBPROOF of draft-ietf-plants-merkle-tree-certs-03 section 4.4.1; with start 0 it is SUBPROOF of RFC 6962.
 */
function subproof(start: number, end: number, d: Uint8Array[], known: boolean): Uint8Array[] {
  if (start === 0 && end === d.length) return known ? [] : [mth(d)]
  const k = largestPowerBelow(d.length)
  if (end <= k) return [...subproof(start, end, d.slice(0, k), known), mth(d.slice(k))]
  if (k <= start) return [...subproof(start - k, end - k, d.slice(k), known), mth(d.slice(0, k))]
  return [...subproof(0, end - k, d.slice(k), false), mth(d.slice(0, k))]
}

function largestPowerBelow(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

const nodeOf = ({ level, index }: TreeNode) => mth(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level))
const hexes = (hashes: readonly Uint8Array[]) => hashes.map(bytesToHex)
const roots = Array.from({ length: SIZE_MAX + 1 }, (_, n) => mth(leaves.slice(0, n)))

function flipped(hash: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(hash)
  copy[31]! ^= 1
  return copy
}

/** Every way to spoil a list of hashes that a verifier must notice. */
function spoiled(proof: readonly Uint8Array[]): Uint8Array[][] {
  const junk = new Uint8Array(32)
  return [
    ...proof.map((hash, i) => proof.with(i, flipped(hash))),
    ...proof.map((hash, i) => proof.with(i, hash.subarray(0, 31))),
    ...proof.map((_, i) => proof.toSpliced(i, 1)),
    ...Array.from({ length: proof.length + 1 }, (_, i) => proof.toSpliced(i, 0, junk)),
  ]
}

describe('hashing', () => {
  it('gives the roots that RFC 6962 defines for no leaf and for an empty leaf', () => {
    expect(bytesToHex(EMPTY_ROOT)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(bytesToHex(leafHash(new Uint8Array(0)))).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    )
  })

  it('refuses children that are not 32 bytes, also when their sum is', () => {
    const both = new Uint8Array(64)
    expect(() => nodeHash(both.subarray(0, 31), both.subarray(31))).toThrow(RangeError)
    expect(() => nodeHash(both.subarray(0, 33), both.subarray(33))).toThrow(RangeError)
  })
})

describe('frontier', () => {
  it('has the root of the recursive definition at every size, also when restored from storage', () => {
    let frontier = emptyFrontier()
    for (let n = 0; n <= SIZE_MAX; n++) {
      expect(bytesToHex(frontierRoot(frontier))).toBe(bytesToHex(roots[n]!))
      expect(hexes(frontier.nodes)).toEqual(hexes(frontierNodes(n).map(nodeOf)))
      frontier = restoreFrontier(frontier.size, frontier.nodes)
      if (n < SIZE_MAX) appendLeaf(frontier, leaves[n]!)
    }
  })

  it('refuses nodes that do not fit the size', () => {
    expect(() => restoreFrontier(3, [leaves[0]!])).toThrow(RangeError)
    expect(() => restoreFrontier(0, [leaves[0]!])).toThrow(RangeError)
    expect(() => restoreFrontier(1, [new Uint8Array(31)])).toThrow(RangeError)
    expect(() => restoreFrontier(-1, [])).toThrow(RangeError)
    expect(() => restoreFrontier(1.5, [leaves[0]!])).toThrow(RangeError)
    expect(() => appendLeaf(emptyFrontier(), new Uint8Array(33))).toThrow(RangeError)
  })

  it('does not change the nodes it was restored from', () => {
    const stored = [leaves[0]!]
    appendLeaf(restoreFrontier(1, stored), leaves[1]!)
    expect(stored).toEqual([leaves[0]])
  })
})

describe('inclusion proofs', () => {
  it('equal the recursive definition and verify, for every index and size', () => {
    for (let size = 1; size <= SIZE_MAX; size++) {
      for (let index = 0; index < size; index++) {
        const proof = foldProof(inclusionNodes(index, size), nodeOf)
        expect(hexes(proof)).toEqual(hexes(path(index, leaves.slice(0, size))))
        expect(verifyInclusion({ index, size, leafHash: leaves[index]!, proof, root: roots[size]! })).toBe(true)
      }
    }
  })

  it('fail with any hash changed, cut, left out or added, and with another leaf or root', () => {
    for (const size of [1, 2, 3, 6, 7, 8, 13, 64, 70]) {
      for (let index = 0; index < size; index++) {
        const claim = {
          index,
          size,
          leafHash: leaves[index]!,
          proof: path(index, leaves.slice(0, size)),
          root: roots[size]!,
        }
        for (const proof of spoiled(claim.proof)) expect(verifyInclusion({ ...claim, proof })).toBe(false)
        expect(verifyInclusion({ ...claim, leafHash: flipped(claim.leafHash) })).toBe(false)
        expect(verifyInclusion({ ...claim, leafHash: claim.leafHash.subarray(1) })).toBe(false)
        expect(verifyInclusion({ ...claim, root: flipped(claim.root) })).toBe(false)
        expect(verifyInclusion({ ...claim, root: claim.root.subarray(1) })).toBe(false)
      }
    }
  })

  it('hold at their own index only', () => {
    const size = 13
    for (let index = 0; index < size; index++) {
      const claim = { size, leafHash: leaves[index]!, proof: path(index, leaves.slice(0, size)), root: roots[size]! }
      for (let other = -1; other <= size + 1; other++)
        expect(verifyInclusion({ ...claim, index: other })).toBe(other === index)
    }
  })

  it('fail when they go on above the root, also where they would lead to the given one', () => {
    const claim = { index: 0, size: 1, leafHash: leaves[1]!, proof: [leaves[0]!], root: roots[2]! }
    expect(verifyInclusion(claim)).toBe(false)
    expect(verifyInclusion({ ...claim, index: 1, size: 2 })).toBe(true)
  })

  it('fail out of range and for what is no integer', () => {
    const claim = { index: 0, size: 1, leafHash: leaves[0]!, proof: [], root: leaves[0]! }
    expect(verifyInclusion(claim)).toBe(true)
    for (const index of [-1, 1, 0.5, NaN, Infinity, 2 ** 53]) expect(verifyInclusion({ ...claim, index })).toBe(false)
    for (const size of [-1, 0, 0.5, NaN, Infinity, 2 ** 53]) expect(verifyInclusion({ ...claim, size })).toBe(false)
  })

  it('are planned for indexes beyond 32 bits', () => {
    const size = 2 ** 40 + 1
    expect(inclusionNodes(2 ** 40, size)).toEqual([[{ level: 40, index: 0 }]])
    const plan = inclusionNodes(2 ** 39, size)
    expect(plan).toHaveLength(41)
    expect(plan.at(-2)).toEqual([{ level: 39, index: 0 }])
    expect(plan.at(-1)).toEqual([{ level: 0, index: 2 ** 40 }])
    const hash = leaves[0]!
    const proof = foldProof(plan, () => hash)
    const root = proof.reduce(
      (node, sibling, i) => (i === 39 ? nodeHash(sibling, node) : nodeHash(node, sibling)),
      hash,
    )
    expect(verifyInclusion({ index: 2 ** 39, size, leafHash: hash, proof, root })).toBe(true)
    expect(verifyInclusion({ index: 0, size, leafHash: hash, proof, root })).toBe(false)
  })

  it.each([
    [0, 0],
    [1, 1],
    [-1, 1],
    [0.5, 1],
    [0, 2 ** 53],
    [NaN, 2],
  ])('are not planned for index %d of size %d', (index, size) => {
    expect(() => inclusionNodes(index, size)).toThrow(RangeError)
  })
})

describe('consistency proofs', () => {
  it('equal the recursive definition and verify, for every pair of sizes', () => {
    for (let size2 = 1; size2 <= SIZE_MAX; size2++) {
      for (let size1 = 1; size1 <= size2; size1++) {
        const proof = foldProof(consistencyNodes(size1, size2), nodeOf)
        expect(hexes(proof)).toEqual(hexes(subproof(0, size1, leaves.slice(0, size2), true)))
        expect(verifyConsistency({ size1, size2, root1: roots[size1]!, root2: roots[size2]!, proof })).toBe(true)
      }
    }
  })

  it('fail with any hash changed, cut, left out or added, and with other roots', () => {
    for (let size2 = 1; size2 <= 20; size2++) {
      for (let size1 = 1; size1 <= size2; size1++) {
        const claim = {
          size1,
          size2,
          root1: roots[size1]!,
          root2: roots[size2]!,
          proof: subproof(0, size1, leaves.slice(0, size2), true),
        }
        for (const proof of spoiled(claim.proof)) expect(verifyConsistency({ ...claim, proof })).toBe(false)
        expect(verifyConsistency({ ...claim, root1: flipped(claim.root1) })).toBe(false)
        expect(verifyConsistency({ ...claim, root2: flipped(claim.root2) })).toBe(false)
        expect(verifyConsistency({ ...claim, root1: claim.root1.subarray(1) })).toBe(false)
        expect(verifyConsistency({ ...claim, root2: claim.root2.subarray(1) })).toBe(false)
      }
    }
  })

  // The sizes themselves are not hashed: a proof for 6 of 13 is one for 3 of 7 with pairs as leaves. The signed
  // checkpoint binds them.
  it('hold for their own two trees only', () => {
    const proof = subproof(0, 6, leaves.slice(0, 13), true)
    for (let size2 = 0; size2 <= 16; size2++) {
      for (let size1 = 0; size1 <= 16; size1++) {
        const verified = verifyConsistency({ size1, size2, root1: roots[size1]!, root2: roots[size2]!, proof })
        expect(verified, `${size1} of ${size2}`).toBe(size1 === 6 && size2 === 13)
      }
    }
  })

  it('fail when they go on above the root, also where they would lead to the given one', () => {
    const proof = [leaves[0]!]
    expect(verifyConsistency({ size1: 1, size2: 1, root1: leaves[1]!, root2: roots[2]!, proof })).toBe(false)
    expect(
      verifySubtreeConsistency({ start: 0, end: 1, size: 1, subtreeRoot: leaves[1]!, root: roots[2]!, proof }),
    ).toBe(false)
    expect(
      verifySubtreeConsistency({ start: 1, end: 2, size: 2, subtreeRoot: leaves[1]!, root: roots[2]!, proof }),
    ).toBe(true)
  })

  it('fail for sizes that no tree has', () => {
    const claim = { size1: 1, size2: 1, root1: roots[1]!, root2: roots[1]!, proof: [] }
    expect(verifyConsistency(claim)).toBe(true)
    for (const size1 of [-1, 0, 0.5, 2, NaN, Infinity]) expect(verifyConsistency({ ...claim, size1 })).toBe(false)
    for (const size2 of [-1, 0, 0.5, 2, NaN, Infinity, 2 ** 53])
      expect(verifyConsistency({ ...claim, size2 })).toBe(false)
    expect(verifyConsistency({ ...claim, size1: 0, size2: 0, root1: EMPTY_ROOT, root2: EMPTY_ROOT })).toBe(false)
  })

  it('are not planned from the empty tree, backwards, or for what is no integer', () => {
    for (const [size1, size2] of [
      [0, 0],
      [0, 1],
      [2, 1],
      [-1, 1],
      [0.5, 1],
      [1, 2 ** 53],
    ] as const) {
      expect(() => consistencyNodes(size1, size2)).toThrow(RangeError)
    }
  })
})

describe('subtrees', () => {
  const isSubtree = (start: number, end: number) => start % largestPowerBelow(2 * (end - start)) === 0

  it('verify where the range is a subtree, and nowhere else', () => {
    const size = 21
    for (let start = 0; start < size; start++) {
      for (let end = start + 1; end <= size; end++) {
        const range = leaves.slice(start, end)
        const valid = isSubtree(start, end)
        const proof = valid ? subproof(start, end, leaves.slice(0, size), true) : []
        const claim = { start, end, size, subtreeRoot: mth(range), root: roots[size]!, proof }
        expect(verifySubtreeConsistency(claim)).toBe(valid)
        for (const bad of valid ? spoiled(proof) : [])
          expect(verifySubtreeConsistency({ ...claim, proof: bad })).toBe(false)
      }
    }
  })
})
