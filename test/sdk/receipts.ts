import { createPublicKey } from 'node:crypto'
import { bytesToBase64 } from '@vitrine/core/bytes'
import { hashEntry, type Entry } from '@vitrine/core/log/entry'
import { ED25519, formatVerifierKey, verifierKey } from '@vitrine/core/log/note'
import {
  bundleLines,
  bundleText,
  cosign,
  createSigner,
  createTestChain,
  proofOf,
  rootOf,
  signCheckpoint,
  witnessKey,
} from '../../verify/src/fixture.ts'

/** Receipts and bundles of an honest operator, for tests of the SDK to tamper with. */

export const LOG = 'agents/agt_1'
export const ORIGIN = `demo-vitrine/${LOG}`
export const WITNESSED_S = 1_767_323_045
export const operator = createSigner('operator')
const witness = createSigner('witness')

const chain = createTestChain(LOG, operator)
for (let i = 0; i < 6; i++) {
  chain.intent(Date.parse('2026-01-02T03:04:00Z') + i * 1000, `c${i}`, { q: `grün ${i}` })
  chain.outcome(Date.parse('2026-01-02T03:04:00Z') + i * 1000, `c${i}`)
}
export const entries: readonly Entry[] = chain.entries()
export const note = chain.checkpoint((signed) => cosign(signed, 'witness.example/w1', witness, WITNESSED_S))

export const vkey = formatVerifierKey(verifierKey(ORIGIN, ED25519, operator.publicKey))
export const witnessVkey = formatVerifierKey(witnessKey('witness.example/w1', witness))
export const publicKey = bytesToBase64(operator.publicKey)
const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(operator.publicKey).toString('base64url') }
export const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }) as string

/** The text of a proof, as getReceipt returns it, or with another tree or note if a test says so. */
export function proofFor(
  seq: number,
  { of = entries, under = note }: { of?: readonly Entry[]; under?: string } = {},
): string {
  return proofOf(of, seq, under)
}

export function invokedAs(seq: number): { log: string; seq: number; hash: string } {
  return { log: LOG, seq, hash: hashEntry(entries[seq]!) }
}

/** A complete bundle of this chain and an organization's, without the final newline. */
export function bundle(): string {
  const org = createTestChain('orgs/org_1', operator)
  org.append(Date.parse('2026-01-02T03:05:00Z'), {
    action: 'quota.update',
    actor: 'user:u1',
    target: 'u1',
    call: '',
    meta: { limit: 5 },
  })
  org.checkpoint()
  return bundleText(bundleLines('orgs/org_1', [...chain.lines(true), ...org.lines(true)], [operator])).trimEnd()
}

export { createSigner, rootOf, signCheckpoint }
