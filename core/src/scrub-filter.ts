/**
 * Tells texts that hold no needle, which are nearly all, without reading most of their units (Wu and Manber, 1994): the last three units of
 * a window say how far it may be moved on.
 */

const BLOCK = 3
/** Longer windows fill the table with blocks that few texts hold, and skip little more. */
const WINDOW_MAX = 32
const TABLE_SIZE = 1 << 14

/** Whether a text may hold a needle. Yes is sometimes said of one that holds the first 32 units of a needle, or for very short needles; no is sure. */
export type Filter = (text: string) => boolean

export function filterOf(needles: readonly string[]): Filter {
  const lengthMin = Math.min(...needles.map(({ length }) => length))
  if (lengthMin < BLOCK) return (text) => text.length >= lengthMin
  const window = Math.min(lengthMin, WINDOW_MAX)
  const beginnings = [...new Set(needles.map((needle) => needle.slice(0, WINDOW_MAX)))]
  const { shifts, byBlock } = tableOf(beginnings, window)

  return (text) => {
    for (let end = window - 1; end < text.length; ) {
      const block = hash(text.charCodeAt(end - 2), text.charCodeAt(end - 1), text.charCodeAt(end))
      const shift = shifts[block]!
      if (shift > 0) {
        end += shift
        continue
      }
      const start = end - window + 1
      if (byBlock.get(block)!.some((beginning) => text.startsWith(beginning, start))) return true
      end++
    }
    return false
  }
}

function tableOf(beginnings: string[], window: number): { shifts: Uint8Array; byBlock: Map<number, string[]> } {
  const shifts = new Uint8Array(TABLE_SIZE).fill(window - BLOCK + 1)
  const byBlock = new Map<number, string[]>()
  for (const text of beginnings) {
    for (let end = BLOCK - 1; end < window; end++) {
      const block = hash(text.charCodeAt(end - 2), text.charCodeAt(end - 1), text.charCodeAt(end))
      shifts[block] = Math.min(shifts[block]!, window - 1 - end)
      if (end !== window - 1) continue
      const same = byBlock.get(block)
      if (same) same.push(text)
      else byBlock.set(block, [text])
    }
  }
  return { shifts, byBlock }
}

function hash(a: number, b: number, c: number): number {
  return (a ^ (b << 5) ^ (c << 9)) & (TABLE_SIZE - 1)
}
