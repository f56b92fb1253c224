import { createPrivateKey, createSecretKey, generateKeyPairSync, generateKeySync, type KeyObject } from 'node:crypto'

interface Material {
  /** The one CryptoKeyVersionAlgorithm offered for the purpose. */
  algorithm: string
  generate(): KeyObject
  toBytes(key: KeyObject): Buffer
  /** Throws on bytes that are not such a key. */
  fromBytes(bytes: Buffer): KeyObject
}

/** Everything that a CryptoKeyPurpose needs, in one place. */
export const PURPOSES = {
  ENCRYPT_DECRYPT: {
    algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
    generate: () => generateKeySync('aes', { length: 256 }),
    toBytes: (key) => key.export(),
    fromBytes(bytes) {
      if (bytes.length !== 32) throw new RangeError('not an AES-256 key')
      return createSecretKey(bytes)
    },
  },
  ASYMMETRIC_SIGN: {
    algorithm: 'EC_SIGN_ED25519',
    generate: () => generateKeyPairSync('ed25519').privateKey,
    toBytes: (key) => key.export({ format: 'der', type: 'pkcs8' }),
    fromBytes(bytes) {
      const key = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' })
      if (key.asymmetricKeyType !== 'ed25519') throw new RangeError('not an Ed25519 key')
      return key
    },
  },
} satisfies Record<string, Material>

export type Purpose = keyof typeof PURPOSES

export function isPurpose(text: string): text is Purpose {
  return Object.hasOwn(PURPOSES, text)
}
