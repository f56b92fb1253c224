import type { KeyManagementServiceClient } from '@google-cloud/kms'
import { status } from '@grpc/grpc-js'
import { localKmsClient } from './client.ts'

/** Full resource names. */
export interface VitrineKeys {
  keyRing: string
  /** Encrypts the credentials of tools. */
  credentials: string
  /** Signs checkpoints; its first version is `{checkpoints}/cryptoKeyVersions/1`. */
  checkpoints: string
}

const LOCATION = 'us-central1'
const KEY_RING = 'vitrine'

const KEYS = {
  credentials: { purpose: 'ENCRYPT_DECRYPT', versionTemplate: { algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' } },
  checkpoints: { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'EC_SIGN_ED25519' } },
} as const

/** Creates what Vitrine needs in `project` and leaves alone what is there. `kms` is a client, or the `host:port` of a local KMS. */
export async function ensureKeys(kms: KeyManagementServiceClient | string, project: string): Promise<VitrineKeys> {
  if (typeof kms !== 'string') return createKeys(kms, project)
  const client = localKmsClient(kms)
  try {
    return await createKeys(client, project)
  } finally {
    await client.close()
  }
}

async function createKeys(client: KeyManagementServiceClient, project: string): Promise<VitrineKeys> {
  const keyRing = client.keyRingPath(project, LOCATION, KEY_RING)
  await unlessThere(
    client.createKeyRing({ parent: client.locationPath(project, LOCATION), keyRingId: KEY_RING, keyRing: {} }),
  )
  for (const [cryptoKeyId, cryptoKey] of Object.entries(KEYS)) {
    await unlessThere(client.createCryptoKey({ parent: keyRing, cryptoKeyId, cryptoKey }))
  }
  return { keyRing, credentials: `${keyRing}/cryptoKeys/credentials`, checkpoints: `${keyRing}/cryptoKeys/checkpoints` }
}

async function unlessThere(creation: Promise<unknown>): Promise<void> {
  try {
    await creation
  } catch (error) {
    if ((error as { code?: unknown }).code !== status.ALREADY_EXISTS) throw error
  }
}
