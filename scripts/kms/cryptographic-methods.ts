import { createPublicKey, sign } from 'node:crypto'
import { crc32c } from '@vitrine/core/keys/crc'
import { kmsError } from './status.ts'
import { open, OVERHEAD_BYTES, seal, sealedBy } from './ciphertext.ts'
import { findKey, findVersion, requirePurpose, usable, versionName, type VersionRef } from './lookup.ts'
import { PURPOSES } from './key-material.ts'
import type { KeyStore } from './key-store.ts'
import type {
  AsymmetricSignRequest,
  Checksum,
  DecryptRequest,
  EncryptRequest,
  GetPublicKeyRequest,
} from './messages.ts'

/** What production takes for keys of protection level SOFTWARE: plaintext, additional data and data to sign, each. */
const DATA_BYTES_MAX = 64 * 1024
const protectionLevel = 'SOFTWARE'

/** The methods that use keys. They are synchronous: the hot path is one look-up in memory and one cipher call. */
export function cryptographicMethods(store: KeyStore) {
  return {
    Encrypt(request: EncryptRequest) {
      const target = encryptionTarget(store, request.name)
      const key = usable(target)
      const { plaintext, additionalAuthenticatedData: aad } = request
      checkSize('plaintext', plaintext, DATA_BYTES_MAX)
      checkSize('additional_authenticated_data', aad, DATA_BYTES_MAX)
      const verifiedPlaintextCrc32c = verify('plaintext', plaintext, request.plaintextCrc32c)
      const verifiedAdditionalAuthenticatedDataCrc32c = verify(
        'additional_authenticated_data',
        aad,
        request.additionalAuthenticatedDataCrc32c,
      )
      const ciphertext = seal(key, target.number, plaintext, aad)
      return {
        name: versionName(target.key, target.number),
        ciphertext,
        ciphertextCrc32c: { value: crc32c(ciphertext) },
        verifiedPlaintextCrc32c,
        verifiedAdditionalAuthenticatedDataCrc32c,
        protectionLevel,
      }
    },

    Decrypt(request: DecryptRequest) {
      const key = findKey(store, request.name)
      requirePurpose(key, 'ENCRYPT_DECRYPT')
      const { ciphertext, additionalAuthenticatedData: aad } = request
      checkSize('ciphertext', ciphertext, DATA_BYTES_MAX + OVERHEAD_BYTES)
      checkSize('additional_authenticated_data', aad, DATA_BYTES_MAX)
      verify('ciphertext', ciphertext, request.ciphertextCrc32c)
      verify('additional_authenticated_data', aad, request.additionalAuthenticatedDataCrc32c)
      const number = sealedBy(ciphertext)
      if (number === undefined) throw kmsError('INVALID_ARGUMENT', 'Decryption failed: the ciphertext is invalid.')
      const version = key.versions[number - 1]
      if (!version)
        throw kmsError('INVALID_ARGUMENT', "Decryption failed: verify that 'name' refers to the correct CryptoKey.")
      const plaintext = open(usable({ key, number, version }), ciphertext, aad)
      if (!plaintext) throw kmsError('INVALID_ARGUMENT', 'Decryption failed: the ciphertext is invalid.')
      return {
        plaintext,
        plaintextCrc32c: { value: crc32c(plaintext) },
        usedPrimary: number === key.primary,
        protectionLevel,
      }
    },

    AsymmetricSign(request: AsymmetricSignRequest) {
      const target = findVersion(store, request.name)
      requirePurpose(target.key, 'ASYMMETRIC_SIGN')
      const key = usable(target)
      if (request.digest !== null)
        throw kmsError('INVALID_ARGUMENT', 'EC_SIGN_ED25519 signs data; the field digest must not be set.')
      if (request.data.length === 0) throw kmsError('INVALID_ARGUMENT', 'The field data must be set.')
      checkSize('data', request.data, DATA_BYTES_MAX)
      const verifiedDataCrc32c = verify('data', request.data, request.dataCrc32c)
      const signature = sign(null, request.data, key)
      return {
        name: request.name,
        signature,
        signatureCrc32c: { value: crc32c(signature) },
        verifiedDataCrc32c,
        protectionLevel,
      }
    },

    GetPublicKey(request: GetPublicKeyRequest) {
      const target = findVersion(store, request.name)
      requirePurpose(target.key, 'ASYMMETRIC_SIGN')
      const pem = createPublicKey(usable(target)).export({ format: 'pem', type: 'spki' }) as string
      const data = Buffer.from(pem)
      const checksum = { value: crc32c(data) }
      const { name, publicKeyFormat } = request
      const common = { name, algorithm: PURPOSES.ASYMMETRIC_SIGN.algorithm, protectionLevel }
      if (publicKeyFormat === 'PUBLIC_KEY_FORMAT_UNSPECIFIED') return { ...common, pem, pemCrc32c: checksum }
      if (publicKeyFormat === 'PEM')
        return { ...common, publicKeyFormat, publicKey: { data, crc32cChecksum: checksum } }
      throw kmsError('INVALID_ARGUMENT', 'The local KMS exports public keys as PEM only.')
    },
  }
}

/** Encrypt takes a key, and then uses its primary version, or a version. */
function encryptionTarget(store: KeyStore, name: string): VersionRef {
  if (name.includes('/cryptoKeyVersions/')) {
    const target = findVersion(store, name)
    requirePurpose(target.key, 'ENCRYPT_DECRYPT')
    return target
  }
  const key = findKey(store, name)
  requirePurpose(key, 'ENCRYPT_DECRYPT')
  const version = key.primary === null ? undefined : key.versions[key.primary - 1]
  if (key.primary === null || !version)
    throw kmsError('FAILED_PRECONDITION', `CryptoKey ${name} has no primary version.`)
  return { key, number: key.primary, version }
}

function checkSize(field: string, bytes: Buffer, bytesMax: number): void {
  if (bytes.length <= bytesMax) return
  throw kmsError('INVALID_ARGUMENT', `The field ${field} has ${bytes.length} bytes; at most ${bytesMax} are allowed.`)
}

/** Whether a checksum was given and is right; one that is wrong is an INVALID_ARGUMENT. */
function verify(field: string, bytes: Buffer, checksum: Checksum): boolean {
  if (checksum === null) return false
  if (checksum.value !== crc32c(bytes)) {
    throw kmsError(
      'INVALID_ARGUMENT',
      `The checksum in field ${field}_crc32c did not match the data in field ${field}.`,
    )
  }
  return true
}
