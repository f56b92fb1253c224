import type { KeyObject } from 'node:crypto'
import type { Purpose } from './key-material.ts'

/** What the local KMS keeps: key rings, keys and their versions. */

/** Times are RFC 3339 in UTC. Values are never changed in place: a change puts a new key. */
export interface KeyRing {
  readonly name: string
  readonly createTime: string
}

export interface KmsKey {
  readonly name: string
  readonly purpose: Purpose
  readonly createTime: string
  /** Number of the version that Encrypt uses; null for keys that sign. */
  readonly primary: number | null
  /** Version 1 stands first. */
  readonly versions: readonly KmsKeyVersion[]
}

export interface KmsKeyVersion {
  readonly state: VersionState
  readonly createTime: string
  /** When a scheduled destruction is due, or was done. */
  readonly destroyTime: string | null
  /** Null once destroyed. */
  readonly key: KeyObject | null
}

export type VersionState = 'ENABLED' | 'DISABLED' | 'DESTROY_SCHEDULED' | 'DESTROYED'
