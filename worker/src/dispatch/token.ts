import { errors, jwtVerify, type CryptoKey } from 'jose'
import * as z from 'zod'
import {
  callAudience,
  callDigest,
  TOKEN_ISSUER,
  TOKEN_SECONDS_MAX,
  type CallClaims,
} from '@vitrine/core/policy/call-token'
import type { CallBody } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Failure, type Result } from '@vitrine/core/result'

/** Verifies the token that authorizes a call. */

/** How far the clocks of the control plane and of this machine may differ. */
export const SKEW_SECONDS = 5

const claimsOf = z.object({
  iss: z.literal(TOKEN_ISSUER),
  aud: z.string(),
  sub: z.string().min(1).max(256),
  call: z.string().min(1).max(256),
  user: z.string().min(1).max(256).optional(),
  args: z.string().length(43),
  iat: z.number(),
  exp: z.number(),
})

export interface TokenOptions {
  policyId: string
  /** The id of this process. */
  instanceId: string
  /** Errors: invalid_key, unavailable. */
  findKey(kid: string): Promise<Result<CryptoKey>>
  /** Milliseconds. */
  now: () => number
}

export type VerifyToken = (authorization: string | undefined) => Promise<Result<CallClaims>>

/**
 * Verifies the token of a call (JWT, RFC 7519; only EdDSA, RFC 8037): a key of the control plane signed it, it is for
 * this process, it has not expired, and it is not valid for longer than any call needs. `boundTo` compares it with the
 * body.
 * Errors: unauthenticated, invalid_key, unavailable.
 */
export function tokenVerifier({ policyId, instanceId, findKey, now }: TokenOptions): VerifyToken {
  const fixed = {
    algorithms: ['EdDSA'],
    issuer: TOKEN_ISSUER,
    audience: callAudience(policyId, instanceId),
    clockTolerance: SKEW_SECONDS,
    maxTokenAge: TOKEN_SECONDS_MAX,
    requiredClaims: ['exp', 'iat'],
  }
  return async (authorization) => {
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) return fail('unauthenticated', 'Send "Authorization: Bearer" with the token of the call.')
    let refused: Failure = { code: 'invalid_key' }
    const key = async ({ kid }: { kid?: string }): Promise<CryptoKey> => {
      const found = typeof kid === 'string' && kid.length <= 256 ? await findKey(kid) : fail('invalid_key')
      if (found.ok) return found.value
      refused = found.error
      throw new errors.JWKSNoMatchingKey()
    }
    try {
      const { payload } = await jwtVerify(token, key, { ...fixed, currentDate: new Date(now()) })
      const claims = claimsOf.safeParse(payload)
      if (!claims.success || claims.data.exp - claims.data.iat > TOKEN_SECONDS_MAX) return fail('invalid_key')
      const { user, ...rest } = claims.data
      return ok({ ...rest, ...(user !== undefined && { user }) })
    } catch (error) {
      if (error instanceof errors.JOSEError) return { ok: false, error: refused }
      throw error
    }
  }
}

/** Whether the token was made for this body. */
export function boundTo({ call, user, args }: CallClaims, body: CallBody): boolean {
  if (body.call !== call || body.user !== user) return false
  try {
    return callDigest(body) === args
  } catch {
    // The control plane can't have signed a body that JCS cannot represent.
    return false
  }
}
