/**
 * Requests of google.cloud.kms.v1 as the proto loader decodes them with the options in server.ts: no field is undefined, enums are
 * their names (a number when unknown), wrappers and messages are null when absent. Fields that no method here reads are left out.
 */
export type Checksum = { value: number } | null

export interface NameRequest {
  name: string
}

export interface ListRequest {
  parent: string
  pageSize: number
  pageToken: string
  filter: string
  orderBy: string
}

export interface CreateKeyRingRequest {
  parent: string
  keyRingId: string
}

export interface CreateCryptoKeyRequest {
  parent: string
  cryptoKeyId: string
  cryptoKey: CryptoKeyMessage | null
  skipInitialVersionCreation: boolean
}

export interface CryptoKeyMessage {
  purpose: string | number
  versionTemplate: { algorithm: string | number; protectionLevel: string | number } | null
  nextRotationTime: object | null
  rotationPeriod?: object | null
  labels: Record<string, string>
  importOnly: boolean
  destroyScheduledDuration: object | null
  cryptoKeyBackend: string
}

export interface CreateCryptoKeyVersionRequest {
  parent: string
}

export interface UpdateCryptoKeyVersionRequest {
  cryptoKeyVersion: { name: string; state: string | number } | null
  updateMask: { paths: string[] } | null
}

export interface UpdateCryptoKeyPrimaryVersionRequest {
  name: string
  cryptoKeyVersionId: string
}

export interface EncryptRequest {
  name: string
  plaintext: Buffer
  plaintextCrc32c: Checksum
  additionalAuthenticatedData: Buffer
  additionalAuthenticatedDataCrc32c: Checksum
}

export interface DecryptRequest {
  name: string
  ciphertext: Buffer
  ciphertextCrc32c: Checksum
  additionalAuthenticatedData: Buffer
  additionalAuthenticatedDataCrc32c: Checksum
}

export interface AsymmetricSignRequest {
  name: string
  digest: object | null
  data: Buffer
  dataCrc32c: Checksum
}

export interface GetPublicKeyRequest {
  name: string
  publicKeyFormat: string | number
}
