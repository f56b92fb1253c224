import type { Result } from '@vitrine/core/result'

/** A read-modify-write that met a concurrent change starts over from a fresh read, a few times. */
export async function retryConflicts<T>(attempt: () => Promise<Result<T>>): Promise<Result<T>> {
  for (let tries = 1; ; tries++) {
    const result = await attempt()
    if (result.ok || result.error.code !== 'conflict' || tries === TRIES_MAX) return result
  }
}

const TRIES_MAX = 5
