import { SignJWT, type JWTPayload } from 'jose'
import { callAudience, callDigest, type CallClaims } from '@vitrine/core/policy/call-token'
import type { CallBody, DispatchKey } from '@vitrine/core/policy/worker-protocol'

/** Signs calls like the control plane, for tests. */

export const POLICY_ID = 'pol_test'
export const INSTANCE_ID = 'instance_test'

export interface Signer {
  key: DispatchKey
  privateKey: CryptoKey
}

export async function newSigner(kid: string = crypto.randomUUID()): Promise<Signer> {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  const raw = Buffer.from(await crypto.subtle.exportKey('raw', pair.publicKey))
  return { key: { kid, publicKey: raw.toString('base64url') }, privateKey: pair.privateKey }
}

export function newBody(changes: Partial<CallBody> = {}): CallBody {
  return {
    call: crypto.randomUUID(),
    server: 'memory',
    command: 'read_graph',
    arguments: { a: 1 },
    timeoutMs: 5_000,
    ...changes,
  }
}

/** The claims of a token for this body; `now` in milliseconds. */
export function claimsFor(body: CallBody, now = Date.now()): CallClaims & JWTPayload {
  const iat = Math.floor(now / 1_000)
  const { call, user } = body
  return {
    iss: 'vitrine',
    aud: callAudience(POLICY_ID, INSTANCE_ID),
    sub: 'agt_1',
    call,
    ...(user !== undefined && { user }),
    args: callDigest(body),
    iat,
    exp: iat + 60,
  }
}

export function tokenFor(signer: Signer, claims: JWTPayload, header: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'EdDSA', kid: signer.key.kid, ...header })
    .sign(signer.privateKey)
}
