import { ERRORS, type ErrorCode } from '@vitrine/core/errors'
import type { Failure } from '@vitrine/core/result'

const REVOKED: ReadonlySet<ErrorCode> = new Set(['unauthenticated', 'malformed_key', 'invalid_key', 'policy_not_found'])

/** Whether no retry mends it: the connector key opens nothing any more. */
export function isRevoked({ code }: Failure): boolean {
  return REVOKED.has(code)
}

export function textOf({ code, message }: Failure): string {
  return `${message ?? ERRORS[code].message} (${code})`
}
