import { bytesEqual, concatBytes } from '../bytes.ts'
import { sha256 } from '#sha256'

/**
 * Merkle trees of RFC 6962 section 2.1 over SHA-256. A hash is 32 bytes; sizes and indexes are integers up to 2^53 - 1.
 *
 * Proofs take two steps, so that this file needs no store: a plan names the complete subtrees, the caller fetches their
 * hashes, and `foldProof` turns them into the proof.
 */

export const HASH_BYTES = 32

const LEAF_PREFIX = Uint8Array.of(0x00)
const NODE_PREFIX = 0x01

/** Root of the empty tree: SHA-256 of no bytes. */
export const EMPTY_ROOT = sha256(new Uint8Array(0))

// All inner nodes use this one buffer: hashing is synchronous, and a log of a million entries has as many nodes.
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES)
nodeInput[0] = NODE_PREFIX

export function leafHash(data: Uint8Array): Uint8Array {
  return sha256(concatBytes(LEAF_PREFIX, data))
}

/**
 * Throws RangeError unless both parts are 32 bytes: other lengths could shift the boundary and still give the same
 * hash.
 */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES)
    throw new RangeError('a node has two hashes of 32 bytes')
  nodeInput.set(left, 1)
  nodeInput.set(right, 1 + HASH_BYTES)
  return sha256(nodeInput)
}

/**
 * The state of a growing tree: the roots of its maximal complete subtrees, left to right, one per set bit of `size`.
 */
export interface Frontier {
  size: number
  nodes: Uint8Array[]
}

export function emptyFrontier(): Frontier {
  return { size: 0, nodes: [] }
}

/** A frontier from storage. Throws RangeError if a tree of that size can't have these nodes. */
export function restoreFrontier(size: number, nodes: readonly Uint8Array[]): Frontier {
  if (!isCount(size) || nodes.length !== frontierNodes(size).length)
    throw new RangeError('the nodes do not fit the size')
  if (!nodes.every(isHash)) throw new RangeError('a node is not 32 bytes')
  return { size, nodes: [...nodes] }
}

/** Appends in place: copying the frontier for each entry would cost more than its hash. */
export function appendLeaf(frontier: Frontier, hash: Uint8Array): void {
  if (!isHash(hash)) throw new RangeError('a leaf hash has 32 bytes')
  let node = hash
  for (let n = frontier.size; isOdd(n); n = half(n)) node = nodeHash(frontier.nodes.pop()!, node)
  frontier.nodes.push(node)
  frontier.size += 1
}

export function frontierRoot(frontier: Frontier): Uint8Array {
  return frontier.size === 0 ? EMPTY_ROOT : foldRight(frontier.nodes)
}

/** The root of the complete subtree over the leaves `index * 2^level` to `(index + 1) * 2^level`, exclusive. */
export interface TreeNode {
  level: number
  index: number
}

/** For each hash of a proof, leaf side first: the complete subtrees, left to right, that fold into it. */
export type ProofPlan = TreeNode[][]

/** The coordinates of a frontier's nodes. */
export function frontierNodes(size: number): TreeNode[] {
  requireInteger(size, 0, Number.MAX_SAFE_INTEGER)
  return rangeNodes(0, size)
}

/** Plan of the audit path of RFC 6962 section 2.1.1. Throws RangeError unless `0 <= index < size`. */
export function inclusionNodes(index: number, size: number): ProofPlan {
  requireInteger(size, 1, Number.MAX_SAFE_INTEGER)
  requireInteger(index, 0, size - 1)
  const plan: ProofPlan = []
  let start = 0
  let end = size
  while (end - start > 1) {
    const middle = split(start, end)
    if (index < middle) {
      plan.push(rangeNodes(middle, end))
      end = middle
    } else {
      plan.push(rangeNodes(start, middle))
      start = middle
    }
  }
  return plan.reverse()
}

/** Plan of the consistency proof of RFC 6962 section 2.1.2. Throws RangeError unless `0 < size1 <= size2`. */
export function consistencyNodes(size1: number, size2: number): ProofPlan {
  requireInteger(size2, 1, Number.MAX_SAFE_INTEGER)
  requireInteger(size1, 1, size2)
  const plan: ProofPlan = []
  let start = 0
  let end = size2
  while (end !== size1) {
    const middle = split(start, end)
    if (size1 <= middle) {
      plan.push(rangeNodes(middle, end))
      end = middle
    } else {
      plan.push(rangeNodes(start, middle))
      start = middle
    }
  }
  if (start > 0) plan.push(rangeNodes(start, end)) // otherwise it is the old tree, whose root the verifier has
  return plan.reverse()
}

export function foldProof(plan: ProofPlan, hashOf: (node: TreeNode) => Uint8Array): Uint8Array[] {
  return plan.map((nodes) => foldRight(nodes.map(hashOf)))
}

export interface InclusionClaim {
  index: number
  size: number
  leafHash: Uint8Array
  proof: readonly Uint8Array[]
  root: Uint8Array
}

/** RFC 9162 section 2.1.3.2. False for anything but an exact proof, including wrong ranges and lengths. */
export function verifyInclusion(claim: InclusionClaim): boolean {
  const { index, size, proof } = claim
  if (!isCount(index) || !isCount(size) || index >= size || !isHash(claim.leafHash) || !proof.every(isHash))
    return false
  let hash = claim.leafHash
  let node = index
  let last = size - 1
  for (const sibling of proof) {
    if (last === 0) return false
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash)
      // A node on the right edge without a sibling is its own parent.
      while (!isOdd(node) && node !== 0) {
        node = half(node)
        last = half(last)
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    node = half(node)
    last = half(last)
  }
  return last === 0 && bytesEqual(hash, claim.root)
}

export interface ConsistencyClaim {
  size1: number
  size2: number
  root1: Uint8Array
  root2: Uint8Array
  proof: readonly Uint8Array[]
}

/**
 * RFC 9162 section 2.1.4.2: both trees have the same first `size1` entries. False for anything but an exact proof, and
 * for `size1` 0: every tree extends the empty one, so such a claim proves nothing.
 */
export function verifyConsistency({ size1, size2, root1, root2, proof }: ConsistencyClaim): boolean {
  return (
    size1 !== 0 &&
    verifySubtreeConsistency({ start: 0, end: size1, size: size2, subtreeRoot: root1, root: root2, proof })
  )
}

export interface SubtreeConsistencyClaim {
  start: number
  end: number
  /** Size of the whole tree, whose root is `root`. */
  size: number
  subtreeRoot: Uint8Array
  root: Uint8Array
  proof: readonly Uint8Array[]
}

/**
 * draft-ietf-plants-merkle-tree-certs-03 section 4.4: the subtree holds the whole tree's entries of its range. An empty
 * subtree always does.
 */
export function verifySubtreeConsistency({
  start,
  end,
  size,
  subtreeRoot,
  root,
  proof,
}: SubtreeConsistencyClaim): boolean {
  if (![start, end, size].every(isCount) || end > size) return false
  if (start === end) return proof.length === 0 && bytesEqual(subtreeRoot, EMPTY_ROOT)
  if (!isSubtree(start, end) || !proof.every(isHash) || (proof.length > 0 && !isHash(subtreeRoot))) return false

  // The subtree's first and last leaf and the tree's last leaf, then their ancestors, level by level.
  let first = start
  let last = end - 1
  let treeLast = size - 1
  const up = () => {
    first = half(first)
    last = half(last)
    treeLast = half(treeLast)
  }
  const flush = last === treeLast
  while (first !== last && (flush || isOdd(last))) up()

  // A subtree that is complete or ends with the tree starts from its own root; for others the proof holds the start.
  const [seed, siblings] = first === last ? [subtreeRoot, proof] : [proof[0], proof.slice(1)]
  if (seed === undefined) return false
  let subtreeHash = seed
  let treeHash = seed
  for (const sibling of siblings) {
    if (treeLast === 0) return false
    if (isOdd(last) || last === treeLast) {
      if (first < last) subtreeHash = nodeHash(sibling, subtreeHash)
      treeHash = nodeHash(sibling, treeHash)
      while (!isOdd(last)) up()
    } else {
      treeHash = nodeHash(treeHash, sibling)
    }
    up()
  }
  return treeLast === 0 && bytesEqual(subtreeHash, subtreeRoot) && bytesEqual(treeHash, root)
}

/** Same draft, section 4.1: a subtree starts at a multiple of the smallest power of two that is at least its length. */
function isSubtree(start: number, end: number): boolean {
  if (!isCount(start) || !isCount(end) || start >= end) return false
  let span = 1
  while (span < end - start) span *= 2
  return start % span === 0
}

/** The complete subtrees, left to right, that make up a range; the range is a subtree. */
function rangeNodes(start: number, end: number): TreeNode[] {
  const nodes: TreeNode[] = []
  let at = start
  while (at < end) {
    let level = 0
    let span = 1
    while (span * 2 <= end - at) {
      span *= 2
      level += 1
    }
    nodes.push({ level, index: at / span })
    at += span
  }
  return nodes
}

/** Where RFC 6962 splits a subtree: at the largest power of two smaller than its length. */
function split(start: number, end: number): number {
  let span = 1
  while (span * 2 < end - start) span *= 2
  return start + span
}

function foldRight(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => nodeHash(left, right))
}

// Bit operators would cut integers to 32 bits.
function half(n: number): number {
  return Math.floor(n / 2)
}

function isOdd(n: number): boolean {
  return n % 2 === 1
}

function isCount(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0
}

function isHash(hash: Uint8Array): boolean {
  return hash.length === HASH_BYTES
}

function requireInteger(n: number, min: number, max: number): void {
  if (!Number.isSafeInteger(n) || n < min || n > max)
    throw new RangeError(`${n} is not an integer from ${min} to ${max}`)
}
