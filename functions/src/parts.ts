import type { ReadServerLog } from './forward/worker/server-log.ts'
import type { EgressPolicy } from './egress/policy.ts'
import type { InvokeParts } from './invoke/parts.ts'
import type { Vault } from './kms/vault.ts'
import type { PolicyParts } from './policies/parts.ts'
import type { ProofParts } from './proof/parts.ts'

/** What the endpoints need: what the rooms need that they call, and what they use themselves. index.ts makes it once per process. */
export interface Parts extends InvokeParts, PolicyParts, ProofParts {
  vault: Vault
  /** What tools may reach. */
  egress: EgressPolicy
  /** Variables of the tools workers that secrets may name: what the operator listed. */
  secretEnv: ReadonlySet<string>
  readServerLog: ReadServerLog
}
