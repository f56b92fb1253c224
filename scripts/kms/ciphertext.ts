import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto'

/**
 * A ciphertext is `format (1) || version number (4, big endian) || nonce (12) || AES-256-GCM ciphertext || tag (16)`.
 * The tag need not cover the header: another version's key opens nothing, and there is one format.
 */
const FORMAT = 0xa7
const HEADER_BYTES = 5
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** By how much a ciphertext is longer than its plaintext. */
export const OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES

export function seal(key: KeyObject, version: number, plaintext: Buffer, aad: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt8(FORMAT, 0)
  header.writeUInt32BE(version, 1)
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(aad)
  const body = cipher.update(plaintext)
  cipher.final()
  return Buffer.concat([header, nonce, body, cipher.getAuthTag()])
}

/** Which version made it; undefined for bytes that no seal() made. */
export function sealedBy(ciphertext: Buffer): number | undefined {
  if (ciphertext.length < OVERHEAD_BYTES || ciphertext[0] !== FORMAT) return undefined
  return ciphertext.readUInt32BE(1)
}

/** Takes what sealedBy() accepted. Undefined when the key, the additional data or any byte is not what it was. */
export function open(key: KeyObject, ciphertext: Buffer, aad: Buffer): Buffer | undefined {
  const bodyAt = HEADER_BYTES + NONCE_BYTES
  const tagAt = ciphertext.length - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, ciphertext.subarray(HEADER_BYTES, bodyAt), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(aad)
  decipher.setAuthTag(ciphertext.subarray(tagAt))
  const plaintext = decipher.update(ciphertext.subarray(bodyAt, tagAt))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plaintext
}
