import type { Auth } from 'firebase-admin/auth'
import type { ToolKind } from '@vitrine/core/tool'
import type { LargeAnswers } from '../answers/large.ts'
import type { Forward } from '../forward/forward.ts'
import type { WorkerCall } from '../forward/worker/worker.ts'
import type { Reclaim } from '../ledger/reclaim.ts'
import type { ManifestParts } from '../manifest/parts.ts'
import type { Routes } from '../policies/find.ts'
import type { Load } from '../store/load.ts'
import type { Gate } from './gate.ts'

/** What one invocation needs, those of the manifest check included. */
export interface InvokeParts extends ManifestParts {
  auth: Auth
  load: Load
  reclaim: Reclaim
  /** Age at which an intent without an outcome is closed as unknown. */
  reconcileAfterMs: number
  gate: Gate
  /** Finds the tools of tool policies. */
  routes: Routes
  /** Calls the tools that an owner registered. */
  forward: Record<ToolKind, Forward>
  /** Calls the tools of tool policies. */
  forwardToWorker: (call: WorkerCall) => Forward
  /** Reads answers that would hold up other calls. */
  largeAnswers: LargeAnswers
}
