import { appendLeaf, emptyFrontier, frontierRoot } from '@vitrine/core/log/merkle'

/**
 * Recomputes a chain's Merkle root at the sizes of signed checkpoints and of pins and receipts. Memory: a hash for each
 * of those sizes.
 */
export interface Roots {
  /** Must be called before that many leaves have been added. */
  want(size: number): void
  leaf(hash: Uint8Array): void
  /** Undefined if the chain is shorter. */
  rootAt(size: number): Uint8Array | undefined
}

export function createRoots(): Roots {
  const frontier = emptyFrontier()
  const wanted = new Set<number>()
  const roots = new Map<number, Uint8Array>()

  function note(): void {
    if (wanted.has(frontier.size)) roots.set(frontier.size, frontierRoot(frontier))
  }

  return {
    want(size) {
      wanted.add(size)
      note()
    },
    leaf(hash) {
      appendLeaf(frontier, hash)
      note()
    },
    rootAt: (size) => roots.get(size),
  }
}
