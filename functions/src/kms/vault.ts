import type { KeyManagementServiceClient } from '@google-cloud/kms'
import { crc32c } from '@vitrine/core/crc'
import { fail, ok, type Result } from '@vitrine/core/result'

/** A credential at rest: KMS ciphertext and the key that made it. */
export interface Sealed {
  enc: Uint8Array
  kmsKey: string
}

export interface Vault {
  /** Errors: kms_unavailable. */
  seal(plaintext: string, resource: string): Promise<Result<Sealed>>
  /** Errors: kms_unavailable, credential_unreadable (another resource's ciphertext, or a key version that is gone). */
  open(sealed: Sealed, resource: string): Promise<Result<string>>
}

/** The deadline of one try; a KMS that says nothing at all is given up after about ten seconds, tried twice. */
const CALL = { timeout: 5_000, maxRetries: 2 }

/** gRPC codes that say that this ciphertext will never open here, as opposed to not now. */
const UNREADABLE = new Set([3 /* INVALID_ARGUMENT */, 5 /* NOT_FOUND */, 7 /* PERMISSION_DENIED */, 9 /* FAILED_PRECONDITION */])

/**
 * Seals credentials with Cloud KMS (AES-256-GCM). The full path of the document and field is additional authenticated
 * data, so a ciphertext that is moved to another document does not open. CRC-32C is sent and checked both ways, as
 * https://cloud.google.com/kms/docs/data-integrity-guidelines asks.
 */
export function createVault(client: () => Promise<KeyManagementServiceClient>, keyName: string): Vault {
  return {
    async seal(text, resource) {
      const plaintext = Buffer.from(text)
      const aad = Buffer.from(resource)
      try {
        const kms = await client()
        const [answer] = await kms.encrypt(
          {
            name: keyName,
            plaintext,
            plaintextCrc32c: { value: crc32c(plaintext) },
            additionalAuthenticatedData: aad,
            additionalAuthenticatedDataCrc32c: { value: crc32c(aad) },
          },
          CALL,
        )
        const enc = Buffer.from(answer.ciphertext ?? '')
        const intact = answer.verifiedPlaintextCrc32c && answer.verifiedAdditionalAuthenticatedDataCrc32c
        if (!intact || Number(answer.ciphertextCrc32c?.value) !== crc32c(enc)) return fail('kms_unavailable')
        return ok({ enc, kmsKey: keyName })
      } catch {
        return fail('kms_unavailable', 'The key service does not answer; nothing was stored.')
      }
    },

    async open({ enc, kmsKey }, resource) {
      const ciphertext = Buffer.from(enc)
      const aad = Buffer.from(resource)
      try {
        const kms = await client()
        const [answer] = await kms.decrypt(
          {
            name: kmsKey,
            ciphertext,
            ciphertextCrc32c: { value: crc32c(ciphertext) },
            additionalAuthenticatedData: aad,
            additionalAuthenticatedDataCrc32c: { value: crc32c(aad) },
          },
          CALL,
        )
        const plaintext = Buffer.from(answer.plaintext ?? '')
        if (Number(answer.plaintextCrc32c?.value) !== crc32c(plaintext)) return fail('kms_unavailable')
        return ok(plaintext.toString('utf8'))
      } catch (error) {
        return fail(UNREADABLE.has((error as { code?: number }).code ?? -1) ? 'credential_unreadable' : 'kms_unavailable')
      }
    },
  }
}
