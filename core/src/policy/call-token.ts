import { bytesToBase64, utf8 } from '../bytes.ts'
import { canonicalText } from '../json/jcs.ts'
import { sha256 } from '#sha256'
import type { CallBody } from './worker-protocol.ts'

/** The token that authorizes one call to a tools worker: its claims, and what it is bound to. */

export const TOKEN_ISSUER = 'vitrine'
/** Longest time that a worker accepts a call's token. */
export const TOKEN_SECONDS_MAX = 90

/** The claims of a call's token (JWT, EdDSA). `iat` and `exp` are Unix seconds. */
export interface CallClaims {
  iss: typeof TOKEN_ISSUER
  /** `callAudience(policyId, instanceId)`. */
  aud: string
  /** Agent id. */
  sub: string
  call: string
  user?: string
  /** `callDigest` of the body. */
  args: string
  iat: number
  exp: number
}

/** Names one process: a stolen token is useless at the policy's other workers and at this worker's successor. */
export function callAudience(policyId: string, instanceId: string): string {
  return `worker:${policyId}:${instanceId}`
}

/**
 * SHA-256 of the whole body's canonical text, base64url: it binds the token to the body, to every digit. Throws if the
 * body has no canonical text.
 */
export function callDigest(body: CallBody): string {
  return base64url(sha256(utf8(canonicalText(body))))
}

/** RFC 4648 section 5, without padding. */
export function base64url(bytes: Uint8Array): string {
  return bytesToBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
