import type { Firestore } from 'firebase-admin/firestore'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose'
import {
  callAudience,
  callDigest,
  TOKEN_ISSUER,
  TOKEN_SECONDS_MAX,
  type CallClaims,
} from '@vitrine/core/policy/call-token'
import type { CallBody } from '@vitrine/core/policy/worker-protocol'
import { answered } from '../../store/answered.ts'
import { policyPaths } from '../../store/policy-documents.ts'

export interface TokenRequest {
  policyId: string
  /** The one worker that will believe it. */
  instanceId: string
  agentId: string
  body: CallBody
}

/** Signs a call's token (JWT, RFC 7519; EdDSA, RFC 8037). Rejects when the public key cannot be published: no worker would believe it. */
export type SignCall = (request: TokenRequest) => Promise<string>

/** A key signs for this long, then another takes its place. */
const SIGNS_MS_MAX = 12 * 60 * 60_000
/** Public for longer than the last token that it signed is valid. */
const PUBLIC_MS_MORE = 10 * 60_000
/** Long enough for clocks that are apart; the time that the call itself takes does not count. */
const TOKEN_SECONDS = Math.min(60, TOKEN_SECONDS_MAX)

interface SigningKey {
  kid: string
  privateKey: CryptoKey
}

/**
 * A key of this process alone, in memory: nobody can take it from a store, and it is gone with the process. Its public half is published
 * once before it signs anything.
 */
export function createCallSigner(db: Firestore, now: () => number = Date.now): SignCall {
  let current: Promise<SigningKey> | undefined
  let usableUntilMs = 0

  function key(): Promise<SigningKey> {
    if (current && now() < usableUntilMs) return current
    usableUntilMs = now() + SIGNS_MS_MAX
    const made = publishedKey(db, usableUntilMs)
    current = made
    // The next call tries again.
    made.catch(() => {
      if (current === made) current = undefined
    })
    return made
  }

  return async ({ policyId, instanceId, agentId, body }) => {
    const { kid, privateKey } = await key()
    const iat = Math.floor(now() / 1000)
    const claims: CallClaims = {
      iss: TOKEN_ISSUER,
      aud: callAudience(policyId, instanceId),
      sub: agentId,
      call: body.call,
      ...(body.user !== undefined && { user: body.user }),
      args: callDigest(body),
      iat,
      exp: iat + TOKEN_SECONDS,
    }
    return new SignJWT({ ...claims }).setProtectedHeader({ alg: 'EdDSA', kid }).sign(privateKey)
  }
}

async function publishedKey(db: Firestore, signsUntilMs: number): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  const { x } = await exportJWK(publicKey)
  const kid = crypto.randomUUID()
  await answered(
    db.doc(policyPaths.dispatchKey(kid)).create({ publicKey: x, expiresAt: new Date(signsUntilMs + PUBLIC_MS_MORE) }),
  )
  return { kid, privateKey }
}
