import type { Firestore } from 'firebase-admin/firestore'
import type { Dispatcher } from 'undici'
import type { VerifierKey } from '@vitrine/core/log/note'
import type { Signer } from '../kms/signer.ts'
import type { Append } from '../ledger/ledger.ts'

/** What checkpoints, receipts, exports and the reconciler need. */
export interface ProofParts {
  db: Firestore
  append: Append
  signer: Signer
  /** GCP project: the first part of a chain's origin. */
  project: string
  /** Connections to witnesses and buckets, checked by the egress guard. */
  dispatcher: Dispatcher
  /** Where checkpoints are kept outside; undefined where no such place is configured. */
  publisher: Publisher | undefined
  witnesses: readonly Witness[]
  /** Age at which an intent without an outcome is closed as unknown. */
  reconcileAfterMs: number
}

/** A place outside the operator's database where checkpoints are kept, such as a bucket with a retention lock. */
export interface Publisher {
  /**
   * Keeps a note at `{origin}/{size}` unless something is kept there already, and answers with what is kept there. Durable
   * when it resolves; throws when the place does not answer. May be repeated.
   */
  keep(origin: string, size: number, note: string): Promise<string>
}

/** A C2SP witness that cosigns our checkpoints. */
export interface Witness {
  /** Its submission prefix, without a slash at the end. */
  url: string
  key: VerifierKey
}
