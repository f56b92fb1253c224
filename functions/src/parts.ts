import type { Auth } from 'firebase-admin/auth'
import type { Firestore } from 'firebase-admin/firestore'
import type { Dispatcher } from 'undici'
import type { ToolKind } from '@vitrine/core/tool'
import type { OpenCredential } from './kms/credential.ts'
import type { EgressPolicy } from './egress/policy.ts'
import type { Forward } from './forward/forward.ts'
import type { LargeAnswers } from './answers/large.ts'
import type { WorkerCall } from './forward/worker/worker.ts'
import type { Gate } from './invoke/gate.ts'
import type { Signer } from './kms/signer.ts'
import type { Vault } from './kms/vault.ts'
import type { Append } from './ledger/ledger.ts'
import type { Reclaim } from './ledger/reclaim.ts'
import type { CheckManifest } from './manifest/check.ts'
import type { Load } from './store/load.ts'
import type { Publisher } from './proof/publish.ts'
import type { Witness } from './proof/witness.ts'
import type { Routes } from './policies/find.ts'
import type { ReadServerLog } from './forward/worker/server-log.ts'

/** What the operations are made of; index.ts wires it once per process. */
export interface Parts {
  db: Firestore
  auth: Auth
  load: Load
  append: Append
  reclaim: Reclaim
  vault: Vault
  openCredential: OpenCredential
  forward: Record<ToolKind, Forward>
  /** Reads answers that would hold up other calls. */
  largeAnswers: LargeAnswers
  gate: Gate
  checkManifest: CheckManifest
  /** Connections to tools, behind the egress guard. */
  dispatcher: Dispatcher
  /** GCP project, part of every resource path that a credential is bound to. */
  project: string
  /** What tools may reach. */
  egress: EgressPolicy
  /** Age at which an intent without an outcome is closed as unknown. */
  reconcileAfterMs: number
  signer: Signer
  /** Where checkpoints are kept outside; undefined where no such place is configured. */
  publisher: Publisher | undefined
  witnesses: readonly Witness[]
  /** Variables of the tools workers that secrets may name: what the operator listed. */
  secretEnv: ReadonlySet<string>
  /** Finds the tools of tool policies. */
  routes: Routes
  /** Calls them. */
  forwardToWorker: (call: WorkerCall) => Forward
  readServerLog: ReadServerLog
}
