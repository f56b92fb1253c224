/**
 * Shares one run among the callers of a key. A run serves only callers that came before it started; later ones wait for
 * the next run, so no answer is older than its request. All callers of a key pass the same work, and one of them runs
 * it.
 */
export function coalesce<T>(): (key: string, run: () => Promise<T>) => Promise<T> {
  const active = new Map<string, { done: Promise<T>; next?: Promise<T> }>()

  function start(key: string, run: () => Promise<T>): Promise<T> {
    const slot = { done: run() }
    active.set(key, slot)
    const finish = () => {
      if (active.get(key) === slot) active.delete(key)
    }
    slot.done.then(finish, finish)
    return slot.done
  }

  return (key, run) => {
    const slot = active.get(key)
    if (!slot) return start(key, run)
    const begin = () => start(key, run)
    slot.next ??= slot.done.then(begin, begin)
    return slot.next
  }
}

/** The same for many keys at once: keys requested while one round trip is under way go into the next. */
export function coalesceMany<T>(
  fetchAll: (keys: string[]) => Promise<Map<string, T>>,
): (keys: string[]) => Promise<(T | undefined)[]> {
  let waiting: { keys: Set<string>; done: Promise<Map<string, T>> } | undefined
  let current: Promise<unknown> | undefined

  function start(keys: Set<string>): Promise<Map<string, T>> {
    waiting = undefined
    const done = fetchAll([...keys])
    const finish = () => {
      if (current === done) current = undefined
    }
    current = done
    done.then(finish, finish)
    return done
  }

  return async (keys) => {
    if (!waiting) {
      const batch = new Set<string>()
      const begin = () => start(batch)
      // Even with nothing under way, waiting one microtask gathers the requests of the same tick.
      waiting = { keys: batch, done: (current ?? Promise.resolve()).then(begin, begin) }
    }
    const { keys: batch, done } = waiting
    for (const key of keys) batch.add(key)
    const found = await done
    return keys.map((key) => found.get(key))
  }
}
