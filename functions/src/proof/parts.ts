import type { Firestore } from 'firebase-admin/firestore'
import type { Dispatcher } from 'undici'
import type { VerifierKey } from '@vitrine/core/log/note'
import type { Signer } from '../kms/signer.ts'
import type { Append } from '../ledger/ledger.ts'

/** The dependencies of checkpoints, receipts, exports and the reconciler. */
export interface ProofParts {
  db: Firestore
  append: Append
  signer: Signer
  /** GCP project: the first part of a chain's origin. */
  project: string
  /** Connections to witnesses and buckets, guarded by the egress policy. */
  dispatcher: Dispatcher
  /** Where checkpoints are published; undefined if no place is configured. */
  publisher: Publisher | undefined
  witnesses: readonly Witness[]
  /** Age at which an intent without an outcome is closed as unknown. */
  reconcileAfterMs: number
}

/** A place outside the operator's database where checkpoints are kept, such as a bucket with a retention lock. */
export interface Publisher {
  /**
   * Stores a note at `{origin}/{size}` unless one is stored there already, and returns the stored one. Durable when it
   * resolves; throws if the place does not answer. Idempotent.
   */
  keep(origin: string, size: number, note: string): Promise<string>
}

/** A C2SP witness that cosigns Vitrine's checkpoints. */
export interface Witness {
  /** Its submission prefix, without a slash at the end. */
  url: string
  key: VerifierKey
}
