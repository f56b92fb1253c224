import { isStartCode, type ServerStatus, type StartCode } from '@vitrine/core/policy/worker-protocol'
import type { Failure } from '@vitrine/core/result'

/** What the failed start of a server means for its callers. */

export function failedStatus({ code, message = code }: Failure): Omit<ServerStatus, 'slug'> {
  return { state: 'failed', error: message, ...(isStartCode(code) && { code }) }
}

/** Callers are told what somebody can do about it; anything else is for those who may read the server's status. */
export function startCode({ code }: Failure): StartCode | 'unavailable' | 'server_failed' {
  return isStartCode(code) || code === 'unavailable' ? code : 'server_failed'
}
