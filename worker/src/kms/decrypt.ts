import type { KeyManagementServiceClient } from '@google-cloud/kms'
import { crc32c } from '@vitrine/core/crc'
import type { Sealed } from '@vitrine/core/policy'
import { fail, ok, type Result } from '@vitrine/core/result'

export type Encrypted = Extract<Sealed, { enc: string }>

/** The deadline of one try; a KMS that says nothing at all is given up after about ten seconds, tried twice. */
const CALL = { timeout: 5_000, maxRetries: 2 }

/** gRPC codes that say that this ciphertext will never open here, as opposed to not now. */
const UNREADABLE = new Set([3 /* INVALID_ARGUMENT */, 5 /* NOT_FOUND */, 7 /* PERMISSION_DENIED */, 9 /* FAILED_PRECONDITION */])

/**
 * Opens a ciphertext of Cloud KMS that is bound to the document it was stored in. CRC-32C is sent and checked both ways
 * (https://cloud.google.com/kms/docs/data-integrity-guidelines).
 * Errors: kms_unavailable, credential_unreadable (another document's ciphertext, a key version that is gone, no permission).
 */
export async function decrypt(client: () => Promise<KeyManagementServiceClient>, { enc, kmsKey, resource }: Encrypted): Promise<Result<string>> {
  const ciphertext = Buffer.from(enc, 'base64')
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
}
