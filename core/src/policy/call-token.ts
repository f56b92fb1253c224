import { bytesToBase64, utf8 } from '../bytes.ts'
import { canonicalize } from '../json/jcs.ts'
import { sha256 } from '#sha256'
import type { CallBody } from './worker-protocol.ts'

/** The token that goes with each call to a tools worker: what it says, and what it is bound to. */

export const TOKEN_ISSUER = 'vitrine'
/** A call's token is accepted for this long at most. */
export const TOKEN_SECONDS_MAX = 90

/** What the token (JWT, EdDSA) of a call says. `iat` and `exp` are Unix seconds. */
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

/** One process: a token that was taken from a worker is of no use at its siblings, nor at what runs in its place later. */
export function callAudience(policyId: string, instanceId: string): string {
  return `worker:${policyId}:${instanceId}`
}

/** What a token binds of a body, which is all of it: SHA-256 over its JCS, base64url. Throws for what JCS cannot represent. */
export function callDigest(body: CallBody): string {
  return base64url(sha256(utf8(canonicalize(body))))
}

/** RFC 4648 section 5, without padding. */
export function base64url(bytes: Uint8Array): string {
  return bytesToBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
