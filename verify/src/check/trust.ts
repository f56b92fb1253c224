import { ED25519, verifierKey, type VerifierKey } from '@vitrine/core/log/note'
import type { LogTrust } from '@vitrine/core/log/checkpoint'

/** The keys whose signatures are accepted. */
export interface Trust {
  /** True if the auditor gave the operator's keys; false if they are those that the bundle names. */
  pinned: boolean
  /** The operator's keys, 32 bytes each. They sign all chains, with the chain's origin as key name. */
  publicKeys: Uint8Array[]
  /** Witnesses that the auditor trusts. */
  witnesses: readonly VerifierKey[]
}

/** Undefined if the origin can't be a key's name. */
export function trustFor(origin: string, { publicKeys, witnesses }: Trust): LogTrust | undefined {
  try {
    return { origin, logKeys: publicKeys.map((key) => verifierKey(origin, ED25519, key)), witnesses }
  } catch {
    return undefined
  }
}
