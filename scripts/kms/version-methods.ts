import { kmsError } from './status.ts'
import { findKey, findVersion, requireState, type VersionRef } from './lookup.ts'
import { newVersion, type KeyStore } from './key-store.ts'
import type { KmsKeyVersion } from './keys.ts'
import { page } from './page.ts'
import { DESTROY_SCHEDULED_SECONDS, versionMessage } from './resource-messages.ts'
import type {
  CreateCryptoKeyVersionRequest,
  ListRequest,
  NameRequest,
  UpdateCryptoKeyVersionRequest,
} from './messages.ts'

/** The methods that make, show and change the versions of keys. Each change is on disk before its method returns. */
export function versionMethods(store: KeyStore, now: () => Date) {
  /** Replaces one version and answers with the new one. */
  function change({ key, number, version }: VersionRef, changes: Partial<KmsKeyVersion>) {
    const changed = { ...version, ...changes }
    const next = { ...key, versions: key.versions.with(number - 1, changed) }
    store.putCryptoKey(next)
    return versionMessage(next, number)
  }

  return {
    CreateCryptoKeyVersion({ parent }: CreateCryptoKeyVersionRequest) {
      const key = findKey(store, parent)
      const next = { ...key, versions: [...key.versions, newVersion(key.purpose, now().toISOString())] }
      store.putCryptoKey(next)
      return versionMessage(next, next.versions.length)
    },

    GetCryptoKeyVersion({ name }: NameRequest) {
      const { key, number } = findVersion(store, name)
      return versionMessage(key, number)
    },

    ListCryptoKeyVersions(request: ListRequest) {
      const key = findKey(store, request.parent)
      const { items, ...rest } = page(
        request,
        key.versions.map((_, index) => versionMessage(key, index + 1)),
      )
      return { cryptoKeyVersions: items, ...rest }
    },

    UpdateCryptoKeyVersion({ cryptoKeyVersion, updateMask }: UpdateCryptoKeyVersionRequest) {
      const target = findVersion(store, cryptoKeyVersion?.name ?? '')
      const paths = updateMask?.paths ?? []
      if (paths.length === 0 || paths.some((path) => path !== 'state')) {
        throw kmsError('INVALID_ARGUMENT', 'The field update_mask must name state, and nothing else.')
      }
      const state = cryptoKeyVersion?.state
      if (state !== 'ENABLED' && state !== 'DISABLED') {
        throw kmsError('INVALID_ARGUMENT', 'The state of a version can be set to ENABLED or DISABLED only.')
      }
      requireState(target, ['ENABLED', 'DISABLED'])
      return change(target, { state })
    },

    DestroyCryptoKeyVersion({ name }: NameRequest) {
      const target = findVersion(store, name)
      requireState(target, ['ENABLED', 'DISABLED'])
      const destroyTime = new Date(now().getTime() + DESTROY_SCHEDULED_SECONDS * 1000).toISOString()
      return change(target, { state: 'DESTROY_SCHEDULED', destroyTime })
    },

    RestoreCryptoKeyVersion({ name }: NameRequest) {
      const target = findVersion(store, name)
      requireState(target, ['DESTROY_SCHEDULED'])
      return change(target, { state: 'DISABLED', destroyTime: null })
    },
  }
}
