import type { ErrorCode } from './errors.ts'

/** An expected failure: a code of the closed table, and a text for the caller. It never holds a credential. */
export interface Failure {
  code: ErrorCode
  /** Replaces the table's message where a more exact one is possible. */
  message?: string
  /** Extra fields for `error.details`, such as `field` or `resetsAt`. */
  details?: Record<string, unknown>
}

export type Result<T, E = Failure> = { ok: true; value: T } | { ok: false; error: E }

export function ok<T>(value: T): { ok: true; value: T } {
  return { ok: true, value }
}

export function fail(
  code: ErrorCode,
  message?: string,
  details?: Record<string, unknown>,
): { ok: false; error: Failure } {
  return { ok: false, error: { code, ...(message !== undefined && { message }), ...(details && { details }) } }
}
