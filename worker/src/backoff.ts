/**
 * Waits before another try. They double, and each is shortened at random by up to half, so that parties that failed
 * together do not retry together.
 */

export function backoffMs(failures: number, firstMs: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(failures, 30)) * (1 - Math.random() / 2)
}

export interface Backoff {
  nextMs(): number
  reset(): void
}

export function createBackoff(firstMs: number, maxMs: number): Backoff {
  let failures = 0
  return {
    nextMs: () => backoffMs(failures++, firstMs, maxMs),
    reset() {
      failures = 0
    },
  }
}
