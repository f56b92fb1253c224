import type { AuthScheme, HttpMethod, ToolKind } from '@vitrine/core/tool'

/** Documents as they stand in Firestore (DESIGN.md section 5). Times are Firestore timestamps, written as Date. */

export interface AgentDoc {
  orgId: string
  ownerUid: string
  name: string
  /** SHA-256 of the key's secret, hex. */
  keyHash: string
  keyVersion: number
  /** Names the agent may see; null for all that are registered for it. */
  allowedTools: string[] | null
  disabled: boolean
}

export interface ToolDoc {
  orgId: string
  name: string
  kind: ToolKind
  url: string
  method: HttpMethod
  auth: AuthScheme
  headers: Record<string, string>
  /** KMS ciphertext, bound to this document's path; null without a credential. */
  authTokenEnc: Uint8Array | null
  kmsKey: string | null
  /** What the server said of its tools, as JSON text: Firestore cannot nest arrays. */
  manifest: string | null
  manifestHash: string | null
  enabled: boolean
  /** Whether getToolCredential may hand the credential out. */
  credentialAccess: boolean
  /** Counts registrations: connections of an older one are not used again. */
  version: number
}

export const ROLES = ['owner', 'admin', 'member', 'auditor'] as const
export type Role = (typeof ROLES)[number]

export interface OrgDoc {
  name: string
  credentialAccess: boolean
}

export interface MemberDoc {
  role: Role
}

export interface OwnerKeyDoc {
  uid: string
  orgId: string
  label: string
  hash: string
  revoked: boolean
}

export interface OwnerDoc {
  /** Units of `tools.invoke` a month; applies from the next quota document on. */
  monthlyInvocations: number
}

/** An idempotency key's first use. */
export interface IdempotencyDoc {
  call: string
  seq: number
}

export const paths = {
  agent: (agentId: string) => `agents/${agentId}`,
  tool: (agentId: string, name: string) => `agents/${agentId}/tools/${name}`,
  idempotency: (agentId: string, keyHash: string) => `agents/${agentId}/idempotency/${keyHash}`,
  usage: (log: string, month: string) => `${log}/usage/${month}`,
  org: (orgId: string) => `orgs/${orgId}`,
  member: (orgId: string, uid: string) => `orgs/${orgId}/members/${uid}`,
  owner: (uid: string) => `owners/${uid}`,
  quota: (uid: string, month: string) => `owners/${uid}/quota/${month}`,
  ownerKey: (keyId: string) => `ownerKeys/${keyId}`,
}

/** The chains' names are the paths of what they belong to. */
export const logs = {
  agent: (agentId: string) => `agents/${agentId}`,
  org: (orgId: string) => `orgs/${orgId}`,
}
