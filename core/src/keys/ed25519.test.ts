import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { hexToBytes, utf8 } from '../bytes.ts'
import { verifyEd25519 } from './ed25519.ts'

// RFC 8032 section 7.1, test 2.
const publicKey = hexToBytes('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
const message = hexToBytes('72')
const signature = hexToBytes(
  '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
)

describe('verifyEd25519', () => {
  it('accepts the signature of RFC 8032', async () => {
    expect(await verifyEd25519(publicKey, message, signature)).toBe(true)
  })

  it('accepts what node:crypto signs', async () => {
    const pair = generateKeyPairSync('ed25519')
    const raw = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)
    expect(await verifyEd25519(raw, utf8('text'), sign(null, utf8('text'), pair.privateKey))).toBe(true)
  })

  it('refuses each bit of key, message and signature changed', async () => {
    for (const [part, length] of [
      [0, 32],
      [1, 1],
      [2, 64],
    ] as const) {
      for (let bit = 0; bit < length * 8; bit += 5) {
        const parts = [publicKey, message, signature].map((bytes) => Uint8Array.from(bytes))
        parts[part]![bit >> 3]! ^= 1 << (bit & 7)
        expect(await verifyEd25519(parts[0]!, parts[1]!, parts[2]!)).toBe(false)
      }
    }
  })

  it('refuses wrong lengths, and the second form of a signature (S + L) that some verifiers take', async () => {
    expect(await verifyEd25519(publicKey.subarray(1), message, signature)).toBe(false)
    expect(await verifyEd25519(new Uint8Array(33), message, signature)).toBe(false)
    expect(await verifyEd25519(publicKey, message, signature.subarray(1))).toBe(false)
    expect(await verifyEd25519(publicKey, message, new Uint8Array(65))).toBe(false)
    expect(await verifyEd25519(publicKey, message, withOrderAdded(signature))).toBe(false)
  })
})

/** RFC 8032 section 5.1.7 demands S < L; without that anyone could make a second valid signature of the same text. */
function withOrderAdded(original: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const copy = Uint8Array.from(original)
  let s = order
  for (let i = 31; i >= 0; i--) s += BigInt(original[32 + i]!) << BigInt(8 * i)
  for (let i = 0; i < 32; i++) copy[32 + i] = Number((s >> BigInt(8 * i)) & 0xffn)
  return copy
}
