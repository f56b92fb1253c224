import type { Auth } from 'firebase-admin/auth'
import type { Firestore } from 'firebase-admin/firestore'
import type { ToolKind } from '@vitrine/core/tool'
import type { LargeAnswers } from '../answers/large.ts'
import type { CheckArgs } from '../args/check-args.ts'
import type { Forward } from '../forward/forward.ts'
import type { WorkerCall } from '../forward/worker/worker.ts'
import type { OpenCredential } from '../kms/credential.ts'
import type { Append } from '../ledger/ledger.ts'
import type { Reclaim } from '../ledger/reclaim.ts'
import type { Lists } from '../manifest/lists.ts'
import type { Manifests } from '../manifest/pinned.ts'
import type { Verdicts } from '../manifest/verdict.ts'
import type { Routes } from '../policies/find.ts'
import type { Load } from '../store/load.ts'
import type { Gate } from './gate.ts'

/** What one invocation needs. */
export interface InvokeParts {
  auth: Auth
  db: Firestore
  load: Load
  append: Append
  reclaim: Reclaim
  /** Age at which an intent without an outcome is closed as unknown. */
  reconcileAfterMs: number
  gate: Gate
  /** Reads long lists of tools. */
  lists: Lists
  /** Reads pinned manifests. */
  manifests: Manifests
  /** Whether a command of a registration may be called. */
  verdicts: Verdicts
  checkArgs: CheckArgs
  openCredential: OpenCredential
  /** Finds the tools of tool policies. */
  routes: Routes
  /** Calls the tools that an owner registered. */
  forward: Record<ToolKind, Forward>
  /** Calls the tools of tool policies. */
  forwardToWorker: (call: WorkerCall) => Forward
  /** Reads answers that would hold up other calls. */
  largeAnswers: LargeAnswers
}
