/**
 * The recently closed calls as 64-bit fingerprints: enough to detect a replayed call in memory that does not grow with
 * the chain. Two generations alternate, so that at least the last 500,000 calls are known. The fingerprint is not
 * cryptographic: an operator who makes two ids collide only causes a false alarm about the operator's own chain.
 */
export interface RecentCalls {
  add(call: string): void
  has(call: string): boolean
}

const SLOTS = 2 ** 20
const FULL = SLOTS / 2

interface Generation {
  high: Uint32Array
  low: Uint32Array
  used: number
}

export function createRecentCalls(): RecentCalls {
  // Allocated on first use: an organization has many chains without calls.
  let young: Generation | undefined
  let old: Generation | undefined

  return {
    add(call) {
      if (young === undefined || young.used >= FULL) {
        old = young
        young = { high: new Uint32Array(SLOTS), low: new Uint32Array(SLOTS), used: 0 }
      }
      const [high, low] = fingerprint(call)
      const slot = find(young, high, low)
      if (young.high[slot] === 0) young.used += 1
      young.high[slot] = high
      young.low[slot] = low
    },
    has(call) {
      const [high, low] = fingerprint(call)
      return [young, old].some(
        (generation) => generation !== undefined && generation.high[find(generation, high, low)] !== 0,
      )
    },
  }
}

/** The slot of the fingerprint, or the free slot where it belongs. */
function find({ high: highs, low: lows }: Generation, high: number, low: number): number {
  let slot = low % SLOTS
  while (highs[slot] !== 0 && (highs[slot] !== high || lows[slot] !== low)) slot = (slot + 1) % SLOTS
  return slot
}

/** Two FNV-1a hashes with different primes; the first is never 0, which marks a free slot. */
function fingerprint(call: string): [high: number, low: number] {
  let high = 0x811c9dc5
  let low = 0x9dc5811c
  for (let i = 0; i < call.length; i++) {
    const code = call.charCodeAt(i)
    high = Math.imul(high ^ code, 0x01000193)
    low = Math.imul(low ^ code, 0x85ebca6b)
    low ^= low >>> 13
  }
  return [high >>> 0 || 1, low >>> 0]
}
