/**
 * Finds many needles in one pass (Aho and Corasick, 1975), in UTF-16 units or in bytes. It takes time proportional to
 * the text, even a hostile one, and each state tells how many of the last units may still become a needle.
 *
 * A state is the longest end of the text so far that is the beginning of a needle. Needles differ early and share
 * little after that, so most states are numbered consecutively and take about 15 bytes each; other representations need
 * a table per state.
 */
export interface Automaton {
  /** The state after one more unit; reading starts in state 0. */
  step(state: number, unit: number): number
  /** By state: the length of the longest needle that ends here, or 0. */
  ends: Int32Array
  /** By state: the length of the needle's beginning that this state represents. */
  depths: Int32Array
}

type Units = ArrayLike<number>

/** Most texts consist of these units; a table looks up a needle's first unit among them. */
const PLAIN_UNITS = 256

export function automatonOf(needles: readonly Units[]): Automaton {
  const trie = trieOf(needles)
  const fails = failuresOf(trie)
  const { child, first, ends, depths } = trie

  return {
    ends,
    depths,
    step(state, unit) {
      for (let at = state; at !== 0; at = fails[at]!) {
        const next = child(at, unit)
        if (next !== NONE) return next
      }
      return first(unit)
    },
  }
}

const NONE = -1
/** Flags of a state: it is followed by the state with the next number, or by states with other numbers. */
const FOLLOWED = 1
const FORKED = 2

interface Trie {
  size: number
  /** The state that follows state 0; 0 if there is none. */
  first(unit: number): number
  /** The state that follows another, or NONE. */
  child(state: number, unit: number): number
  /** Calls back with each state that follows this one, and the unit that leads there. */
  eachChild(state: number, call: (next: number, unit: number) => void): void
  ends: Int32Array
  depths: Int32Array
}

function trieOf(needles: readonly Units[]): Trie {
  const sizeMax = needles.reduce((sum, { length }) => sum + length, 1)
  const units = new Uint16Array(sizeMax)
  const flags = new Uint8Array(sizeMax)
  const ends = new Int32Array(sizeMax)
  const depths = new Int32Array(sizeMax)
  const forks = new Map<number, Map<number, number>>()
  const plainFirst = new Int32Array(PLAIN_UNITS)
  let size = 1

  const first = (unit: number): number => (unit < PLAIN_UNITS ? plainFirst[unit]! : (forks.get(0)?.get(unit) ?? 0))

  const child = (state: number, unit: number): number => {
    const flag = flags[state]!
    if ((flag & FOLLOWED) !== 0 && units[state + 1] === unit) return state + 1
    return (flag & FORKED) !== 0 ? (forks.get(state)!.get(unit) ?? NONE) : NONE
  }

  const grow = (state: number, unit: number): number => {
    const next = size++
    units[next] = unit
    depths[next] = depths[state]! + 1
    if (state === 0 && unit < PLAIN_UNITS) plainFirst[unit] = next
    if (next === state + 1 && state !== 0) {
      flags[state]! |= FOLLOWED
    } else {
      flags[state]! |= FORKED
      const fork = forks.get(state)
      if (fork) fork.set(unit, next)
      else forks.set(state, new Map([[unit, next]]))
    }
    return next
  }

  for (const needle of needles) {
    let state = 0
    for (let i = 0; i < needle.length; i++) {
      const next = child(state, needle[i]!)
      state = next === NONE ? grow(state, needle[i]!) : next
    }
    ends[state] = needle.length
  }

  return {
    get size() {
      return size
    },
    first,
    child,
    eachChild(state, call) {
      if ((flags[state]! & FOLLOWED) !== 0) call(state + 1, units[state + 1]!)
      if ((flags[state]! & FORKED) !== 0) for (const [unit, next] of forks.get(state)!) call(next, unit)
    },
    ends,
    depths,
  }
}

/** For each state, the longest shorter state that it ends with. A needle that ends there also ends here. */
function failuresOf({ size, first, child, eachChild, ends }: Trie): Int32Array {
  const fails = new Int32Array(size)
  const queue = new Int32Array(size)
  let queued = 1
  for (let head = 0; head < queued; head++) {
    const state = queue[head]!
    eachChild(state, (next, unit) => {
      queue[queued++] = next
      if (state === 0) return
      let found = NONE
      for (let shorter = fails[state]!; shorter !== 0 && found === NONE; shorter = fails[shorter]!)
        found = child(shorter, unit)
      fails[next] = found === NONE ? first(unit) : found
      if (ends[next] === 0) ends[next] = ends[fails[next]]!
    })
  }
  return fails
}
