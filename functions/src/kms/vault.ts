import type { KeyManagementServiceClient } from '@google-cloud/kms'
import { crc32c } from '@vitrine/core/keys/crc'
import { decryptWith, KMS_CALL } from '@vitrine/core/keys/kms'
import { fail, ok, type Result } from '@vitrine/core/result'

/** An encrypted credential: KMS ciphertext and the key that made it. */
export interface Sealed {
  enc: Uint8Array
  kmsKey: string
}

export interface Vault {
  /** Errors: kms_unavailable. */
  seal(plaintext: string, resource: string): Promise<Result<Sealed>>
  /** Errors: kms_unavailable, credential_unreadable (another resource's ciphertext, or a destroyed key version). */
  open(sealed: Sealed, resource: string): Promise<Result<string>>
}

/**
 * Seals credentials with Cloud KMS (AES-256-GCM). The full path of the document and field is the additional
 * authenticated data, so a ciphertext moved to another document does not open. CRC-32C is sent and checked in both
 * directions, as https://cloud.google.com/kms/docs/data-integrity-guidelines asks.
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
          KMS_CALL,
        )
        const enc = Buffer.from(answer.ciphertext ?? '')
        const intact = answer.verifiedPlaintextCrc32c && answer.verifiedAdditionalAuthenticatedDataCrc32c
        if (!intact || Number(answer.ciphertextCrc32c?.value) !== crc32c(enc)) return fail('kms_unavailable')
        return ok({ enc, kmsKey: keyName })
      } catch {
        return fail('kms_unavailable', 'The key service does not answer; nothing was stored.')
      }
    },

    open: ({ enc, kmsKey }, resource) => decryptWith(client, kmsKey, enc, resource),
  }
}
