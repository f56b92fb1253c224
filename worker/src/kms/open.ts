import type { KeyManagementServiceClient } from '@google-cloud/kms'
import { decryptWith } from '@vitrine/core/keys/kms'
import type { Sealed } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Result } from '@vitrine/core/result'
import { readSecret } from './secret-manager.ts'

/**
 * Decrypts a stored secret. The plaintext is returned and not kept. Errors: credential_unreadable, kms_unavailable,
 * unavailable.
 */
export type Open = (sealed: Sealed) => Promise<Result<string>>

export interface OpenOptions {
  kms: () => Promise<KeyManagementServiceClient>
  /** The values that `{env}` can refer to: the operator's listed variables, and the credentials of worker.yaml. */
  values: Readonly<Record<string, string | undefined>>
}

export function opener({ kms, values }: OpenOptions): Open {
  return async (sealed) => {
    if ('enc' in sealed) return decryptWith(kms, sealed.kmsKey, Buffer.from(sealed.enc, 'base64'), sealed.resource)
    if ('secretManager' in sealed) return readSecret(sealed.secretManager)
    const value = Object.hasOwn(values, sealed.env) ? values[sealed.env] : undefined
    return value === undefined
      ? fail('credential_unreadable', 'This variable of the worker is not set, or is not listed in VITRINE_SECRET_ENV.')
      : ok(value)
  }
}
