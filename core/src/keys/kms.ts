import { crc32c } from './crc.ts'
import { fail, ok, type Result } from '../result.ts'
import { fromUtf8, utf8 } from '../bytes.ts'

/** Decrypts with Cloud KMS; the functions and the worker share it. */

/** The part of a Cloud KMS client that decryption uses (google.cloud.kms.v1, Decrypt). */
export interface Decrypter {
  decrypt(request: DecryptRequest, options: typeof KMS_CALL): Promise<[answer: DecryptAnswer, ...unknown[]]>
}

interface DecryptRequest {
  name: string
  ciphertext: Uint8Array
  ciphertextCrc32c: { value: number }
  additionalAuthenticatedData: Uint8Array
  additionalAuthenticatedDataCrc32c: { value: number }
}

interface DecryptAnswer {
  plaintext?: Uint8Array | string | null
  plaintextCrc32c?: { value?: unknown } | null
}

/** The deadline of one try. After two tries, about ten seconds, a KMS that does not answer is given up. */
export const KMS_CALL = { timeout: 5_000, maxRetries: 2 }

/** gRPC codes that mean this ciphertext will never open here; any other error may be temporary. */
const UNREADABLE = new Set<unknown>([
  3 /* INVALID_ARGUMENT */, 5 /* NOT_FOUND */, 7 /* PERMISSION_DENIED */, 9 /* FAILED_PRECONDITION */,
])

/**
 * Decrypts a ciphertext that is bound to the full path of the document and field that store it. CRC-32C is sent and
 * checked in both directions (https://cloud.google.com/kms/docs/data-integrity-guidelines).
 * Errors: kms_unavailable, credential_unreadable (another document's ciphertext, a destroyed key version, no
 * permission).
 */
export async function decryptWith(
  client: () => Promise<Decrypter>,
  kmsKey: string,
  ciphertext: Uint8Array,
  resource: string,
): Promise<Result<string>> {
  const aad = utf8(resource)
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
      KMS_CALL,
    )
    const { plaintext } = answer
    const bytes = typeof plaintext === 'string' ? utf8(plaintext) : (plaintext ?? new Uint8Array())
    return Number(answer.plaintextCrc32c?.value) === crc32c(bytes) ? ok(fromUtf8(bytes)) : fail('kms_unavailable')
  } catch (error) {
    return fail(UNREADABLE.has((error as { code?: unknown }).code) ? 'credential_unreadable' : 'kms_unavailable')
  }
}
