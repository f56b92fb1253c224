import { ERRORS, type ErrorCode } from '@vitrine/core/errors'
import type { Failure } from '@vitrine/core/result'

/** How the worker reads errors of the control plane. */

const REVOKED: ReadonlySet<ErrorCode> = new Set(['unauthenticated', 'malformed_key', 'invalid_key', 'policy_not_found'])

/** Whether retrying is pointless, because the connector key is no longer valid. */
export function isRevoked({ code }: Failure): boolean {
  return REVOKED.has(code)
}

export function textOf({ code, message }: Failure): string {
  return `${message ?? ERRORS[code].message} (${code})`
}
