/** Slots: the number of processes that a worker may have. */

/** Has a process, or is about to. */
export interface Holder {
  /** Since when it is idle, in ms since the epoch; null while it must not be ended. */
  idleSince(): number | null
  /** Ends it and returns its slot. */
  evict(): Promise<void>
}

/** Bounds the number of processes of one worker. The longest idle holder makes room for a new one. */
export interface Slots {
  /** false if all holders are busy. */
  take(holder: Holder): Promise<boolean>
  give(holder: Holder): void
}

export function createSlots(max: number): Slots {
  const holders = new Set<Holder>()
  const leaving = new Map<Holder, Promise<void>>()

  function longestIdle(): Holder | null {
    let found: { holder: Holder; since: number } | null = null
    for (const holder of holders) {
      const since = leaving.has(holder) ? null : holder.idleSince()
      if (since !== null && (found === null || since < found.since)) found = { holder, since }
    }
    return found?.holder ?? null
  }
  function evict(victim: Holder): Promise<void> {
    const gone = victim.evict().finally(() => {
      leaving.delete(victim)
      holders.delete(victim)
    })
    leaving.set(victim, gone)
    return gone
  }
  return {
    async take(holder) {
      while (holders.size >= max) {
        const victim = longestIdle()
        if (victim) await evict(victim)
        else if (leaving.size > 0) await Promise.race(leaving.values())
        else return false
      }
      holders.add(holder)
      return true
    },
    give: (holder) => void holders.delete(holder),
  }
}
