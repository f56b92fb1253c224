import { createPublicKey } from 'node:crypto'
import type { KeyManagementServiceClient } from '@google-cloud/kms'
import { crc32c } from '@vitrine/core/keys/crc'
import { verifyEd25519 } from '@vitrine/core/keys/ed25519'
import { fail, ok, type Result } from '@vitrine/core/result'
import { logError } from '../lib/log.ts'

export interface SigningKey {
  /** Resource name of the KMS key version. */
  name: string
  /** 32 bytes. */
  publicKey: Uint8Array
  pem: string
}

/** Signs checkpoints. */
export interface Signer {
  /** The version that signs and the earlier versions of its key that KMS still returns. Errors: kms_unavailable. */
  keys(): Promise<Result<{ current: SigningKey; all: SigningKey[] }>>
  /** An Ed25519 signature by the current version, verified before it is returned. Errors: kms_unavailable. */
  sign(data: Uint8Array): Promise<Result<Uint8Array>>
}

const CALL = { timeout: 5_000, maxRetries: 2 }

/** NOT_FOUND and FAILED_PRECONDITION: the version was destroyed or disabled. */
const GONE = new Set([5, 9])

/**
 * Signs with `version`, a version of a KMS key of algorithm EC_SIGN_ED25519. Checksums are sent and checked in both
 * directions (https://cloud.google.com/kms/docs/data-integrity-guidelines). Public keys never change, so each is
 * fetched once.
 */
export function createSigner(client: () => Promise<KeyManagementServiceClient>, version: string): Signer {
  const fetched = new Map<string, SigningKey>()

  /** Undefined for a destroyed or disabled version; throws if KMS does not answer. */
  async function fetchKey(name: string): Promise<SigningKey | undefined> {
    const known = fetched.get(name)
    if (known) return known
    try {
      const kms = await client()
      const [{ pem, pemCrc32c }] = await kms.getPublicKey({ name }, CALL)
      if (!pem || Number(pemCrc32c?.value) !== crc32c(Buffer.from(pem))) throw new Error('The public key came damaged.')
      const { x } = createPublicKey(pem).export({ format: 'jwk' })
      const key = { name, publicKey: new Uint8Array(Buffer.from(x!, 'base64url')), pem }
      fetched.set(name, key)
      return key
    } catch (error) {
      if (GONE.has((error as { code?: number }).code ?? -1)) return undefined
      throw error
    }
  }

  return {
    async keys() {
      try {
        const found = await Promise.all(versionsUpTo(version).map(fetchKey))
        const current = found.at(-1)
        return current
          ? ok({ current, all: found.filter((key) => key !== undefined) })
          : fail('kms_unavailable', 'The signing key is disabled or gone.')
      } catch (error) {
        return unavailable(error)
      }
    },

    async sign(data) {
      try {
        const kms = await client()
        const [answer] = await kms.asymmetricSign({ name: version, data, dataCrc32c: { value: crc32c(data) } }, CALL)
        const signature = new Uint8Array(Buffer.from(answer.signature ?? ''))
        const intact =
          answer.verifiedDataCrc32c &&
          Number(answer.signatureCrc32c?.value) === crc32c(signature) &&
          answer.name === version
        const key = await fetchKey(version)
        if (!intact || !key || !(await verifyEd25519(key.publicKey, data, signature)))
          return fail('kms_unavailable', 'The signature came damaged.')
        return ok(signature)
      } catch (error) {
        return unavailable(error)
      }
    },
  }
}

/** KMS numbers the versions of a key from 1. */
function versionsUpTo(version: string): string[] {
  const [, key, number] = /^(.+\/cryptoKeyVersions\/)([1-9]\d{0,3})$/.exec(version) ?? []
  if (key === undefined) throw new TypeError(`${version} is not the name of a key version`)
  return Array.from({ length: Number(number) }, (_, i) => `${key}${i + 1}`)
}

function unavailable(error: unknown): Result<never> {
  logError(`The signing key: ${error instanceof Error ? error.message : String(error)}`)
  return fail('kms_unavailable', 'The key service does not answer; nothing was signed.')
}
