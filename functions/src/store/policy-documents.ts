import { collectionPath, path } from './path.ts'
import type { Timestamp } from 'firebase-admin/firestore'
import type { Builtins, ServerConfig } from '@vitrine/core/policy/server-config'
import type { Pinned } from '@vitrine/core/policy/pin'
import type { ServerState } from '@vitrine/core/policy/worker-protocol'
import type { BreakerDoc } from './documents.ts'

/** Documents of tool policies as they stand in Firestore (docs/design.md section 5). Times are written as Date and read as Timestamp. */

export interface ToolPolicyDoc {
  orgId: string
  name: string
  /** Whose agents may use it; empty for all of the organization. */
  teams: string[]
  builtins: Builtins
  servers: ServerConfig[]
  /** Counts the owner's changes. */
  version: number
  /** Counts all changes that workers have to hear of: those, and pins. */
  revision: number
}

/** What is on record of a server since it first came up; absent before, and again once its pin was moved. */
export interface ServerDoc {
  orgId: string
  slug: string
  /** What was resolved, and to what exact version: the record holds for these two alone. Null for a server of the node, which has no version. */
  package: string | null
  spec: string | null
  resolvedVersion: string | null
  integrity: string | null
  /** See Pin; the lockfile is in LockfileDoc. */
  dependencies: string | null
  resolvedAt: string | null
  /** `{tools}` as JSON text, raw as the server listed them: Firestore cannot nest arrays. */
  manifest: string
  manifestHash: string
  /** The list where it differs from the pinned one and waits for the owner's approval. */
  manifestPending: string | null
  manifestPendingHash: string | null
  /** What was last reported and refused: each is recorded once. */
  refused: Pinned | null
}

/** By what a pinned package is installed. Apart from ServerDoc, which calls read. */
export interface LockfileDoc {
  orgId: string
  slug: string
  lockfile: string
}

export interface WorkerState {
  url: string
  seenAt: Timestamp
  policyVersion: number
  servers: Record<string, { state: ServerState; error?: string }>
}

/** Who serves a policy, by instance id. */
export interface WorkersDoc {
  orgId: string
  workers: Record<string, WorkerState>
  /** Number of the last connect's entry on the organization's chain; absent before the first. */
  connected?: number
  /** Circuits that opened since then, by slug; null where one closed again. */
  breakers?: Record<string, StoredBreaker | null>
}

/** A circuit, and the policy's revision and the connect that it goes with: it says nothing after others. */
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

/** Which policies have a server of this name, and for whom. */
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
