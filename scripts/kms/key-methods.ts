import { kmsError } from './status.ts'
import { isPurpose, PURPOSES, type Purpose } from './key-material.ts'
import { checkId, checkName } from './names.ts'
import { findKey, findKeyRing, findVersion, requirePurpose, requireState } from './lookup.ts'
import { newVersion, type KeyStore } from './key-store.ts'
import { page } from './page.ts'
import { keyMessage, ringMessage } from './resource-messages.ts'
import type {
  CreateCryptoKeyRequest,
  CreateKeyRingRequest,
  CryptoKeyMessage,
  ListRequest,
  NameRequest,
  UpdateCryptoKeyPrimaryVersionRequest,
} from './messages.ts'

/** The methods that make, show and change key rings and keys. Each change is on disk before its method returns. */
export function keyMethods(store: KeyStore, now: () => Date) {
  return {
    CreateKeyRing({ parent, keyRingId }: CreateKeyRingRequest) {
      checkName('location', parent)
      checkId('key_ring_id', keyRingId)
      const ring = { name: `${parent}/keyRings/${keyRingId}`, createTime: now().toISOString() }
      if (store.keyRing(ring.name)) throw kmsError('ALREADY_EXISTS', `KeyRing ${ring.name} already exists.`)
      store.putKeyRing(ring)
      return ringMessage(ring)
    },

    GetKeyRing: ({ name }: NameRequest) => ringMessage(findKeyRing(store, name)),

    ListKeyRings(request: ListRequest) {
      checkName('location', request.parent)
      const { items, ...rest } = page(request, store.keyRings(request.parent).map(ringMessage))
      return { keyRings: items, ...rest }
    },

    CreateCryptoKey({ parent, cryptoKeyId, cryptoKey, skipInitialVersionCreation }: CreateCryptoKeyRequest) {
      findKeyRing(store, parent)
      checkId('crypto_key_id', cryptoKeyId)
      const purpose = checkTemplate(cryptoKey)
      const name = `${parent}/cryptoKeys/${cryptoKeyId}`
      if (store.cryptoKey(name)) throw kmsError('ALREADY_EXISTS', `CryptoKey ${name} already exists.`)
      const createTime = now().toISOString()
      const versions = skipInitialVersionCreation ? [] : [newVersion(purpose, createTime)]
      const primary = purpose === 'ENCRYPT_DECRYPT' && versions.length > 0 ? 1 : null
      const key = { name, purpose, createTime, primary, versions }
      store.putCryptoKey(key)
      return keyMessage(key)
    },

    GetCryptoKey: ({ name }: NameRequest) => keyMessage(findKey(store, name)),

    ListCryptoKeys(request: ListRequest) {
      findKeyRing(store, request.parent)
      const { items, ...rest } = page(request, store.cryptoKeys(request.parent).map(keyMessage))
      return { cryptoKeys: items, ...rest }
    },

    UpdateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId }: UpdateCryptoKeyPrimaryVersionRequest) {
      const key = findKey(store, name)
      requirePurpose(key, 'ENCRYPT_DECRYPT')
      const target = findVersion(store, `${name}/cryptoKeyVersions/${cryptoKeyVersionId}`)
      requireState(target, ['ENABLED'])
      const next = { ...key, primary: target.number }
      store.putCryptoKey(next)
      return keyMessage(next)
    },
  }
}

/** What a new key shall be. What is not offered here is refused rather than left out in silence. */
function checkTemplate(key: CryptoKeyMessage | null): Purpose {
  const purpose = String(key?.purpose)
  if (!key || !isPurpose(purpose)) {
    throw kmsError('INVALID_ARGUMENT', 'The local KMS has the purposes ENCRYPT_DECRYPT and ASYMMETRIC_SIGN only.')
  }
  const { algorithm } = PURPOSES[purpose]
  const wanted = key.versionTemplate?.algorithm ?? 'CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED'
  const mayDefault = purpose === 'ENCRYPT_DECRYPT' && wanted === 'CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED'
  if (wanted !== algorithm && !mayDefault)
    throw kmsError('INVALID_ARGUMENT', `The algorithm for purpose ${purpose} must be ${algorithm}.`)
  const level = key.versionTemplate?.protectionLevel ?? 'SOFTWARE'
  if (level !== 'SOFTWARE' && level !== 'PROTECTION_LEVEL_UNSPECIFIED') {
    throw kmsError('INVALID_ARGUMENT', 'The local KMS has protection level SOFTWARE only.')
  }
  const extras = key.nextRotationTime ?? key.rotationPeriod ?? key.destroyScheduledDuration
  if (extras || key.importOnly || key.cryptoKeyBackend !== '' || Object.keys(key.labels).length > 0) {
    throw kmsError(
      'UNIMPLEMENTED',
      'The local KMS has no labels, rotation schedule, import, own destruction delay or key backend.',
    )
  }
  return purpose
}
