/** Collects work on servers that are ending. Nothing waits for it until the worker closes. */
export interface Departures {
  add(work: Promise<void>): void
  /** Resolves when all added work is done. */
  done(): Promise<void>
}

export function createDepartures(): Departures {
  const leaving = new Set<Promise<void>>()
  return {
    add(work) {
      const gone = work.finally(() => leaving.delete(gone))
      leaving.add(gone)
    },
    async done() {
      await Promise.all(leaving)
    },
  }
}
