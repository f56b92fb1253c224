/** Waits that double, each shortened at random by up to half so that servers that failed together are not tried together. */
export interface Backoff {
  nextMs(): number
  reset(): void
}

export function createBackoff(firstMs: number, maxMs: number): Backoff {
  let failures = 0
  return {
    nextMs() {
      const full = Math.min(maxMs, firstMs * 2 ** Math.min(failures++, 30))
      return full * (1 - Math.random() / 2)
    },
    reset() {
      failures = 0
    },
  }
}
