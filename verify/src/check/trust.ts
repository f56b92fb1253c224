import { ED25519, verifierKey, type VerifierKey } from '@vitrine/core/log/note'
import type { LogTrust } from '@vitrine/core/log/checkpoint'

/** Whose signatures count. */
export interface Trust {
  /** Whether the operator's keys were given from outside, or are those that the bundle itself names. */
  pinned: boolean
  /** Of the operator, 32 bytes each: all chains are signed with the same ones, under the chain's origin as key name. */
  publicKeys: Uint8Array[]
  /** Witnesses that the auditor trusts. */
  witnesses: readonly VerifierKey[]
}

/** Undefined when the origin can't be the name of a key. */
export function trustFor(origin: string, { publicKeys, witnesses }: Trust): LogTrust | undefined {
  try {
    return { origin, logKeys: publicKeys.map((key) => verifierKey(origin, ED25519, key)), witnesses }
  } catch {
    return undefined
  }
}
