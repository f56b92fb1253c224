import type { ReadServerLog } from './forward/worker/server-log.ts'
import type { LookupAll } from './egress/lookup.ts'
import type { EgressPolicy } from './egress/policy.ts'
import type { InvokeParts } from './invoke/parts.ts'
import type { Vault } from './kms/vault.ts'
import type { PolicyParts } from './policies/parts.ts'
import type { ProofParts } from './proof/parts.ts'

/**
 * The dependencies of the endpoints: those of the rooms they call and their own. index.ts makes them once per process.
 */
export interface Parts extends InvokeParts, PolicyParts, ProofParts {
  vault: Vault
  /** What tools may reach. */
  egress: EgressPolicy
  /** Resolves the names of tools. */
  lookup: LookupAll
  /** Variables of the tools workers that secrets may name, as the operator listed them. */
  secretEnv: ReadonlySet<string>
  readServerLog: ReadServerLog
}
