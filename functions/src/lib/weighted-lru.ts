/** Keeps what was used last, as much as `weightMax` allows. */
export interface WeightedLru<T> {
  get(key: string): T | undefined
  /** One heavier than all of `weightMax` is not kept. */
  set(key: string, value: T, weight: number): void
  delete(key: string): void
}

export function weightedLru<T>(weightMax: number): WeightedLru<T> {
  const kept = new Map<string, { value: T; weight: number }>()
  let total = 0

  function drop(key: string): void {
    total -= kept.get(key)?.weight ?? 0
    kept.delete(key)
  }

  return {
    get(key) {
      const found = kept.get(key)
      if (!found) return undefined
      kept.delete(key)
      kept.set(key, found)
      return found.value
    },
    set(key, value, weight) {
      drop(key)
      kept.set(key, { value, weight })
      total += weight
      while (total > weightMax) drop(kept.keys().next().value!)
    },
    delete: drop,
  }
}
