import type { Result } from '@vitrine/core/result'

/** Repeats a read-modify-write from a fresh read, a few times, if it met a concurrent change. */
export async function retryConflicts<T>(attempt: () => Promise<Result<T>>): Promise<Result<T>> {
  for (let tries = 1; ; tries++) {
    const result = await attempt()
    if (result.ok || result.error.code !== 'conflict' || tries === TRIES_MAX) return result
  }
}

const TRIES_MAX = 5
