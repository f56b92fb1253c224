/** Work on what is going away that nobody waits for now, but somebody may at the end. */
export interface Departures {
  add(work: Promise<void>): void
  /** Resolves when all that was added is done. */
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
