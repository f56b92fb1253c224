import { readKeyFile, writeKeyFile } from './key-file.ts'
import { PURPOSES, type Purpose } from './key-material.ts'
import type { KeyRing, KmsKey, KmsKeyVersion } from './keys.ts'

/** Reads come from memory. A put returns once the change is on disk; when it throws, neither memory nor disk has it. */
export interface KeyStore {
  keyRing(name: string): KeyRing | undefined
  cryptoKey(name: string): KmsKey | undefined
  /** Those directly below `parent`, by name. */
  keyRings(parent: string): KeyRing[]
  cryptoKeys(parent: string): KmsKey[]
  putKeyRing(ring: KeyRing): void
  putCryptoKey(key: KmsKey): void
}

/**
 * Opens the keys in `dir`, which belongs to one process at a time. Versions whose destruction is due at `now` lose their material here.
 * Errors: one line for a damaged file; those of the file system.
 */
export function openKeyStore(dir: string, now: Date): KeyStore {
  const file = readKeyFile(dir)
  const kept = file.cryptoKeys.map((key) => ({
    ...key,
    versions: key.versions.map((version) => destroyIfDue(version, now)),
  }))
  let rings = byName(file.keyRings)
  let keys = byName<KmsKey>(kept)
  // Also proves at start that the directory can be written.
  writeKeyFile(dir, { keyRings: file.keyRings, cryptoKeys: kept })

  return {
    keyRing: (name) => rings.get(name),
    cryptoKey: (name) => keys.get(name),
    keyRings: (parent) => below(rings, `${parent}/keyRings/`),
    cryptoKeys: (parent) => below(keys, `${parent}/cryptoKeys/`),
    putKeyRing(ring) {
      const next = new Map(rings).set(ring.name, ring)
      writeKeyFile(dir, { keyRings: [...next.values()], cryptoKeys: [...keys.values()] })
      rings = next
    },
    putCryptoKey(key) {
      const next = new Map(keys).set(key.name, key)
      writeKeyFile(dir, { keyRings: [...rings.values()], cryptoKeys: [...next.values()] })
      keys = next
    },
  }
}

export function newVersion(purpose: Purpose, createTime: string): KmsKeyVersion {
  return { state: 'ENABLED', createTime, destroyTime: null, key: PURPOSES[purpose].generate() }
}

function destroyIfDue(version: KmsKeyVersion, now: Date): KmsKeyVersion {
  const due =
    version.state === 'DESTROY_SCHEDULED' &&
    version.destroyTime !== null &&
    Date.parse(version.destroyTime) <= now.getTime()
  return due ? { ...version, state: 'DESTROYED', key: null } : version
}

function byName<T extends { name: string }>(items: readonly T[]): Map<string, T> {
  return new Map(items.map((item) => [item.name, item]))
}

function below<T extends { name: string }>(items: Map<string, T>, prefix: string): T[] {
  return [...items.values()].filter((item) => item.name.startsWith(prefix)).sort((a, b) => (a.name < b.name ? -1 : 1))
}
