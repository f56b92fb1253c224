import { kmsError } from './status.ts'
import { checkName, splitVersionName } from './names.ts'
import type { Purpose } from './key-material.ts'
import type { KeyStore } from './key-store.ts'
import type { KeyRing, KmsKey, KmsKeyVersion, VersionState } from './keys.ts'

/** A version together with the key that it belongs to. */
export interface VersionRef {
  key: KmsKey
  number: number
  version: KmsKeyVersion
}

// A name that is in the store was checked when it got there, so only a miss pays for the pattern.

/** Errors: NOT_FOUND, and those of checkName. */
export function findKeyRing(store: KeyStore, name: string): KeyRing {
  const ring = store.keyRing(name)
  if (ring) return ring
  checkName('keyRing', name)
  throw kmsError('NOT_FOUND', `KeyRing ${name} not found.`)
}

/** Errors: NOT_FOUND, and those of checkName. */
export function findKey(store: KeyStore, name: string): KmsKey {
  const key = store.cryptoKey(name)
  if (key) return key
  checkName('cryptoKey', name)
  throw kmsError('NOT_FOUND', `CryptoKey ${name} not found.`)
}

/** Errors: NOT_FOUND, and those of checkName. */
export function findVersion(store: KeyStore, name: string): VersionRef {
  const parts = splitVersionName(name)
  const key = store.cryptoKey(parts.key)
  const version = key?.versions[parts.version - 1]
  if (!key || !version) throw kmsError('NOT_FOUND', `CryptoKeyVersion ${name} not found.`)
  return { key, number: parts.version, version }
}

export function versionName(key: KmsKey, number: number): string {
  return `${key.name}/cryptoKeyVersions/${number}`
}

/** Errors: INVALID_ARGUMENT. */
export function requirePurpose(key: KmsKey, purpose: Purpose): void {
  if (key.purpose !== purpose) {
    throw kmsError(
      'INVALID_ARGUMENT',
      `CryptoKey ${key.name} has purpose ${key.purpose}, but this method needs ${purpose}.`,
    )
  }
}

/** The key object of an enabled version. Errors: FAILED_PRECONDITION. */
export function usable({ key, number, version }: VersionRef) {
  if (version.state !== 'ENABLED' || version.key === null) {
    throw kmsError(
      'FAILED_PRECONDITION',
      `${versionName(key, number)} is not enabled, current state is: ${version.state}.`,
    )
  }
  return version.key
}

/** Errors: FAILED_PRECONDITION. */
export function requireState({ key, number, version }: VersionRef, allowed: VersionState[]): void {
  if (allowed.includes(version.state)) return
  const needed = allowed.join(' or ')
  throw kmsError(
    'FAILED_PRECONDITION',
    `${versionName(key, number)} must be ${needed}, current state is: ${version.state}.`,
  )
}
