/**
 * The recently closed calls as 64-bit fingerprints: enough to detect a replayed call in memory that does not grow with
 * the chain. Two generations alternate, so that at least the last 500,000 calls are known; the first starts small,
 * since an organization has many chains with few calls. The fingerprint is not cryptographic: an operator who makes two
 * ids collide only causes a false alarm about the operator's own chain.
 */
export interface RecentCalls {
  add(call: string): void
  has(call: string): boolean
}

const SLOTS_MIN = 2 ** 8
const SLOTS_MAX = 2 ** 20

interface Generation {
  high: Uint32Array
  low: Uint32Array
  used: number
}

export function createRecentCalls(): RecentCalls {
  let young = generation(SLOTS_MIN)
  let old: Generation | undefined

  return {
    add(call) {
      if (young.used >= young.high.length / 2) makeRoom()
      put(young, ...fingerprint(call))
    },
    has(call) {
      const [high, low] = fingerprint(call)
      return [young, old].some((each) => each !== undefined && each.high[find(each, high, low)] !== 0)
    },
  }

  function makeRoom(): void {
    if (young.high.length < SLOTS_MAX) {
      young = enlarged(young)
    } else {
      old = young
      young = generation(SLOTS_MAX)
    }
  }
}

function generation(slots: number): Generation {
  return { high: new Uint32Array(slots), low: new Uint32Array(slots), used: 0 }
}

function enlarged({ high, low }: Generation): Generation {
  const larger = generation(4 * high.length)
  for (const [slot, each] of high.entries()) if (each !== 0) put(larger, each, low[slot]!)
  return larger
}

function put(generation: Generation, high: number, low: number): void {
  const slot = find(generation, high, low)
  if (generation.high[slot] === 0) generation.used += 1
  generation.high[slot] = high
  generation.low[slot] = low
}

/** The slot of the fingerprint, or the free slot where it belongs. */
function find({ high: highs, low: lows }: Generation, high: number, low: number): number {
  const slots = highs.length
  let slot = low % slots
  while (highs[slot] !== 0 && (highs[slot] !== high || lows[slot] !== low)) slot = (slot + 1) % slots
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
