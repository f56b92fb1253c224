const FIRST_MS = 500
const MS_MAX = 30_000

/** Milliseconds before the next try, doubled with every failure; half of it is chance, so that many workers do not come back at once. */
export function backoffMs(failures: number): number {
  const ms = Math.min(MS_MAX, FIRST_MS * 2 ** Math.min(failures, 16))
  return ms / 2 + (Math.random() * ms) / 2
}
