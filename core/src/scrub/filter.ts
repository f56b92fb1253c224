/**
 * Finds where a needle may begin without reading most of the text (Wu and Manber, 1994): the last three units of a
 * window decide how far the window can move on.
 */

const BLOCK = 3
/** Longer windows would fill the table with blocks that occur in few texts, and would skip hardly more. */
export const WINDOW_MAX = 32
const TABLE_SIZE = 1 << 14

export interface Filter<T> {
  /**
   * The first place at or after `from` where a needle may begin: the first `window` units of a needle are there, or
   * fewer than `window` units are left.
   */
  next(text: T, from: number): number
  window: number
}

type UnitAt<T> = (text: T, index: number) => number

/**
 * `beginnings`: the first WINDOW_MAX units of each needle, or all of a shorter one. Very short needles prevent
 * skipping.
 */
export function filterOf<T extends { length: number }>(beginnings: readonly T[], unitAt: UnitAt<T>): Filter<T> {
  const window = Math.min(...beginnings.map(({ length }) => length))
  if (window < BLOCK) return { next: (_, from) => from, window: 1 }

  const hashAt = (text: T, end: number): number =>
    (unitAt(text, end - 2) ^ (unitAt(text, end - 1) << 5) ^ (unitAt(text, end) << 9)) & (TABLE_SIZE - 1)
  const shifts = new Uint8Array(TABLE_SIZE).fill(window - BLOCK + 1)
  /** Beginnings by the hash of their window's last block. */
  const candidates = new Map<number, T[]>()
  for (const beginning of beginnings) {
    for (let end = BLOCK - 1; end < window; end++) {
      const hash = hashAt(beginning, end)
      shifts[hash] = Math.min(shifts[hash]!, window - 1 - end)
    }
    const hash = hashAt(beginning, window - 1)
    const alike = candidates.get(hash)
    if (alike) alike.push(beginning)
    else candidates.set(hash, [beginning])
  }

  const stands = (text: T, from: number, beginning: T): boolean => {
    for (let i = 0; i < window; i++) if (unitAt(text, from + i) !== unitAt(beginning, i)) return false
    return true
  }

  return {
    next(text, from) {
      let end = from + window - 1
      while (end < text.length) {
        const hash = hashAt(text, end)
        const shift = shifts[hash]!
        const start = end - window + 1
        if (shift === 0 && candidates.get(hash)!.some((beginning) => stands(text, start, beginning))) return start
        end += Math.max(1, shift)
      }
      return Math.max(from, text.length - window + 1)
    },
    window,
  }
}
