import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { SignJWT, type JWTPayload } from 'jose'
import { beforeAll, expect, test } from 'vitest'
import { callAudience, callDigest } from '@vitrine/core/policy/call-token'
import type { CallBody } from '@vitrine/core/policy/worker-protocol'
import { createKeyRing } from './key-ring.ts'
import { claimsFor, INSTANCE_ID, newBody, newSigner, POLICY_ID, tokenFor, type Signer } from './token.fixture.ts'
import { boundTo, tokenVerifier, type VerifyToken } from './token.ts'

const NOW = Date.UTC(2026, 10, 20)
const SECONDS = NOW / 1_000
const body = newBody()
const claims = claimsFor(body, NOW)

let signer: Signer
let verify: VerifyToken

beforeAll(async () => {
  signer = await newSigner()
  const ring = createKeyRing({ ask: () => Promise.resolve({ ok: true, value: [signer.key] }), now: () => NOW })
  await ring.replace([signer.key])
  verify = tokenVerifier({ policyId: POLICY_ID, instanceId: INSTANCE_ID, findKey: ring.find, now: () => NOW })
})

async function codeOf(token: string | Promise<string>): Promise<string> {
  const result = await verify(`Bearer ${await token}`)
  return result.ok ? 'ok' : result.error.code
}

function encoded(json: unknown): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url')
}

function changed(changes: JWTPayload): Promise<string> {
  return tokenFor(signer, { ...claims, ...changes })
}

function without(claim: string): Promise<string> {
  return tokenFor(signer, Object.fromEntries(Object.entries(claims).filter(([name]) => name !== claim)))
}

test('a token of the control plane for this process is accepted, and its claims are what was signed', async () => {
  const result = await verify(`Bearer ${await tokenFor(signer, claims)}`)
  expect(result).toEqual({ ok: true, value: claims })
})

test.each([
  ['one for another policy', () => changed({ aud: callAudience('pol_other', INSTANCE_ID) })],
  ['one for another instance', () => changed({ aud: callAudience(POLICY_ID, 'instance_other') })],
  ['one for every instance', () => changed({ aud: `worker:${POLICY_ID}` })],
  ['another issuer', () => changed({ iss: 'other' })],
  ['an expired one', () => changed({ iat: SECONDS - 80, exp: SECONDS - 6 })],
  ['one from the future', () => changed({ iat: SECONDS + 10, exp: SECONDS + 20 })],
  ['one that is valid too long', () => changed({ exp: SECONDS + 91 })],
  ['one that was issued long ago', () => changed({ iat: SECONDS - 96, exp: SECONDS + 30 })],
  ['one not valid yet', () => changed({ nbf: SECONDS + 30 })],
  ['a user that is no text', () => changed({ user: 7 })],
  ['a digest of another length', () => changed({ args: 'x' })],
  ...['iss', 'aud', 'sub', 'call', 'args', 'iat', 'exp'].map((claim): [string, () => Promise<string>] => [
    `one without ${claim}`,
    () => without(claim),
  ]),
])('refuses %s', async (_what, token) => {
  expect(await codeOf(token())).toBe('invalid_key')
})

test('clocks may be a few seconds apart', async () => {
  expect(await codeOf(changed({ iat: SECONDS - 60, exp: SECONDS - 3 }))).toBe('ok')
  expect(await codeOf(changed({ iat: SECONDS + 3, exp: SECONDS + 60 }))).toBe('ok')
})

test('refuses a token that was signed by another key under a known id', async () => {
  const forger = await newSigner(signer.key.kid)
  expect(await codeOf(tokenFor(forger, claims))).toBe('invalid_key')
})

test('refuses a token that was changed after it was signed', async () => {
  const [header, , signature] = (await tokenFor(signer, claims)).split('.')
  expect(await codeOf(`${header}.${encoded({ ...claims, sub: 'agt_2' })}.${signature}`)).toBe('invalid_key')
})

test('refuses alg none, with and without a signature', async () => {
  const [, payload, signature] = (await tokenFor(signer, claims)).split('.')
  const header = encoded({ alg: 'none', kid: signer.key.kid })
  expect(await codeOf(`${header}.${payload}.${signature}`)).toBe('invalid_key')
  expect(await codeOf(`${header}.${payload}.`)).toBe('unauthenticated')
})

test('refuses HS256 with the public key as the secret, in every form that a key is written in', async () => {
  const raw = Buffer.from(signer.key.publicKey, 'base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: signer.key.publicKey }, format: 'jwk' })
  const secrets = [
    raw,
    signer.key.publicKey,
    key.export({ format: 'pem', type: 'spki' }),
    key.export({ format: 'der', type: 'spki' }),
  ]
  const unsigned = `${encoded({ alg: 'HS256', kid: signer.key.kid })}.${encoded(claims)}`
  for (const secret of secrets) {
    expect(await codeOf(`${unsigned}.${createHmac('sha256', secret).update(unsigned).digest('base64url')}`)).toBe(
      'invalid_key',
    )
  }
})

test('refuses another asymmetric algorithm, and a header that brings its own key', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  expect(
    await codeOf(new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: signer.key.kid }).sign(privateKey)),
  ).toBe('invalid_key')
  const forger = await newSigner('unknown')
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: forger.key.publicKey }
  expect(await codeOf(tokenFor(forger, claims, { jwk }))).toBe('invalid_key')
})

test('refuses header fields that change what a signature means', async () => {
  expect(await codeOf(tokenFor(signer, claims, { crit: ['exp'], exp: 1 }).catch(() => 'a.b.c'))).toBe('invalid_key')
  const parts = (await tokenFor(signer, claims)).split('.')
  expect(
    await codeOf(
      [encoded({ alg: 'EdDSA', kid: signer.key.kid, b64: false, crit: ['b64'] }), parts[1], parts[2]].join('.'),
    ),
  ).toBe('invalid_key')
})

test.each([
  undefined,
  '',
  'Bearer',
  'Bearer x',
  'Bearer a.b',
  'Basic a.b.c',
  'Bearer a.b.c.d',
  'Bearer a.b.c extra',
  'tools.a.b',
])('asks for a token where there is none: %j', async (header) => {
  expect(await verify(header)).toMatchObject({ ok: false, error: { code: 'unauthenticated' } })
})

test.each(['a.b.c', `${encoded('x')}.${encoded('x')}.x`, `${encoded({ alg: 'EdDSA' })}.${encoded({})}.x`])(
  'refuses what is no token: %s',
  async (token) => {
    expect(await codeOf(token)).toBe('invalid_key')
  },
)

test('a token fits the one body that it was made for', () => {
  const own: CallBody = { ...body, user: 'u1', stream: true, userSecrets: { TOKEN: { env: 'A' } } }
  const token = claimsFor(own, NOW)
  expect(boundTo(token, own)).toBe(true)
  const changes: Record<string, unknown>[] = [
    { arguments: { a: 2 } },
    { arguments: { a: 1, b: null } },
    { command: 'delete_entities' },
    { server: 'other' },
    { timeoutMs: 5_001 },
    { stream: false },
    { call: 'other' },
    { user: 'u2' },
    { userSecrets: { TOKEN: { env: 'B' } } },
    { userSecrets: { OTHER: { env: 'A' } } },
    { userSecrets: {} },
    { extra: 1 },
  ]
  for (const change of changes) expect(boundTo(token, { ...own, ...change }), JSON.stringify(change)).toBe(false)
  for (const field of Object.keys(own))
    expect(
      boundTo(token, Object.fromEntries(Object.entries(own).filter(([name]) => name !== field)) as unknown as CallBody),
      field,
    ).toBe(false)
})

test('a token names its call and user beside the digest, and both have to be those of the body', () => {
  const own = { ...body, user: 'u1' }
  const token = claimsFor(own, NOW)
  expect(boundTo({ ...token, args: callDigest({ ...own, call: 'other' }) }, { ...own, call: 'other' })).toBe(false)
  expect(boundTo({ ...token, args: callDigest({ ...own, user: 'u2' }) }, { ...own, user: 'u2' })).toBe(false)
})

test('what JCS cannot represent fits no token', () => {
  expect(boundTo(claimsFor(body, NOW), { ...body, userSecrets: { TOKEN: { env: '\ud800' } } })).toBe(false)
})
