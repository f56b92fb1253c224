import { collectionPath, path } from './path.ts'
import type { Timestamp } from 'firebase-admin/firestore'
import type { Builtins, ServerConfig } from '@vitrine/core/policy/server-config'
import type { Pinned } from '@vitrine/core/policy/pin'
import type { ServerState, StartCode } from '@vitrine/core/policy/worker-protocol'
import type { BreakerDoc, StoredList } from './documents.ts'

/**
 * The documents of tool policies in Firestore (docs/design.md section 5). Times are written as Date and read as
 * Timestamp.
 */

export interface ToolPolicyDoc {
  orgId: string
  name: string
  /** Teams whose agents may use it; empty for the whole organization. */
  teams: string[]
  builtins: Builtins
  servers: ServerConfig[]
  /** Counts the owner's changes. */
  version: number
  /** Counts all changes that workers must learn of: the owner's, and pins. */
  revision: number
}

/** The record of a server, made when it first starts; deleted when its pin is removed. */
export interface ServerDoc {
  orgId: string
  slug: string
  /**
   * The package and version spec that were resolved; the record applies only to these. Null for a server of the node,
   * which has no version.
   */
  package: string | null
  spec: string | null
  resolvedVersion: string | null
  integrity: string | null
  /** See Pin; the lockfile is in LockfileDoc. */
  dependencies: string | null
  resolvedAt: string | null
  /** See Pin; absent if no install scripts run. */
  scripts?: string[]
  /** `{tools}`, exactly as the server listed them. */
  manifest: StoredList
  manifestHash: string
  /** The server's list if it differs from the pinned one and waits for the owner's approval. */
  manifestPending: StoredList | null
  manifestPendingHash: string | null
  /** Why a list that a worker got cannot be taken; no command is called meanwhile. Absent in older documents. */
  manifestProblem?: string | null
  /** The last report that was refused, so that each is recorded once. */
  refused: Pinned | null
}

/** The lockfile that installs a pinned package. It is not part of ServerDoc, which every call reads. */
export interface LockfileDoc {
  orgId: string
  slug: string
  lockfile: string
}

export interface WorkerState {
  url: string
  seenAt: Timestamp
  policyVersion: number
  servers: Record<string, StoredStatus>
}

/** What a worker says of a server. */
export interface StoredStatus {
  state: ServerState
  error?: string
  /** See ServerStatus. */
  code?: StartCode
  /** It failed to start and has not been ready since, which is on record once. */
  failing?: true
}

/** The workers that serve a policy, by instance id. */
export interface WorkersDoc {
  orgId: string
  workers: Record<string, WorkerState>
  /** Sequence number of the last connect's entry on the organization's chain; absent before the first. */
  connected?: number
  /** Circuits that opened since then, by slug; null once closed again. */
  breakers?: Record<string, StoredBreaker | null>
}

/** A circuit with the policy's revision and the connect that it belongs to; after another of either it is void. */
export interface StoredBreaker extends BreakerDoc {
  revision: number
  connected: number
}

export interface ToolKeyDoc {
  orgId: string
  policyId: string
  /** SHA-256 of the key's secret, hex. */
  hash: string
  version: number
}

/** The policies that have a server of this name, and their teams. */
export interface ToolRoutesDoc {
  orgId: string
  routes: Route[]
}

export interface Route {
  policyId: string
  teams: string[]
}

export interface TeamDoc {
  orgId: string
  name: string
}

export interface DispatchKeyDoc {
  /** Ed25519, base64url. */
  publicKey: string
  expiresAt: Timestamp
}

export const DISPATCH_KEYS = collectionPath<DispatchKeyDoc>('dispatchKeys')

export const policyPaths = {
  policies: (orgId: string) => collectionPath<ToolPolicyDoc>(`orgs/${orgId}/toolPolicies`),
  policy: (orgId: string, policyId: string) => path<ToolPolicyDoc>(`orgs/${orgId}/toolPolicies/${policyId}`),
  server: (orgId: string, policyId: string, slug: string) =>
    path<ServerDoc>(`orgs/${orgId}/toolPolicies/${policyId}/servers/${slug}`),
  lockfile: (orgId: string, policyId: string, slug: string) =>
    path<LockfileDoc>(`orgs/${orgId}/toolPolicies/${policyId}/lockfiles/${slug}`),
  workers: (orgId: string, policyId: string) =>
    path<WorkersDoc>(`orgs/${orgId}/toolPolicies/${policyId}/state/workers`),
  key: (policyId: string) => path<ToolKeyDoc>(`toolKeys/${policyId}`),
  routes: (orgId: string, slug: string) => path<ToolRoutesDoc>(`orgs/${orgId}/toolRoutes/${slug}`),
  teams: (orgId: string) => collectionPath<TeamDoc>(`orgs/${orgId}/teams`),
  team: (orgId: string, teamId: string) => path<TeamDoc>(`orgs/${orgId}/teams/${teamId}`),
  dispatchKey: (kid: string) => path<DispatchKeyDoc>(`${DISPATCH_KEYS}/${kid}`),
}
