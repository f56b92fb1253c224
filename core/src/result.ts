import type { ErrorCode } from './errors.ts'

/** An expected failure: a code from the closed table and a text meant for the caller. Never holds a credential. */
export interface Failure {
  code: ErrorCode
  /** Replaces the table's public message where there is something more exact to say. */
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
