import { collectionPath, path } from './path.ts'
import type { Quota } from '@vitrine/core/log/meter'
import type { Usage } from '@vitrine/core/log/segment'
import type { Opening } from '@vitrine/core/log/commitment'
import { CALLS_PER_TOOL_MAX, RESPONSE_BYTES_DEFAULT } from '@vitrine/core/limits'
import { segmentId, type Segment } from '@vitrine/core/log/segment'
import type { Role } from '@vitrine/core/api/organization'
import type { AuthScheme, HttpMethod, ManifestPolicy, ToolKind } from '@vitrine/core/tool'

/** Documents as they stand in Firestore (docs/design.md section 5). Times are Firestore timestamps, written as Date. */

export interface AgentDoc {
  orgId: string
  ownerUid: string
  name: string
  /** SHA-256 of the key's secret, hex. */
  keyHash: string
  keyVersion: number
  /** What the agent may see: whole tools (`server`) and single commands (`server__command`); null for everything. */
  allowedTools: string[] | null
  disabled: boolean
  /** Of its organization; it may use their tool policies. */
  teams?: string[]
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
  /** Bytes of an answer after decoding. */
  responseBytesMax: number
  /** Calls at the same time, in one instance. */
  concurrencyMax: number
  /** The owner says that calling twice does what calling once does: failed calls may be tried again. */
  idempotent: boolean
  /** JSON pointers (RFC 6901) into the arguments; what they point to never enters an opening. */
  redact: string[]
  /** What happens to commands that the server changed after they were pinned: refused, or only recorded. */
  manifestPolicy: ManifestPolicy
  /** How old a look at the server's list may be, in one instance; 0 looks before every call. */
  manifestMaxAgeMs: number
  /** The server's list where it differs from the pinned one and waits for the owner's approval. */
  manifestPending: string | null
  manifestPendingHash: string | null
  breaker: BreakerDoc | null
}

/** There while the circuit of a tool is open or being probed; times in milliseconds since 1970. */
export interface BreakerDoc {
  openUntilMs: number
  /** How long it was opened for: twice as long after each probe that failed. */
  openForMs: number
}

/** What a registration has where it says nothing; documents written before a field existed have it so too. */
export const TOOL_DEFAULTS = {
  responseBytesMax: RESPONSE_BYTES_DEFAULT,
  concurrencyMax: CALLS_PER_TOOL_MAX,
  idempotent: false,
  redact: [],
  manifestPolicy: 'block',
  manifestMaxAgeMs: 0,
  manifestPending: null,
  manifestPendingHash: null,
  breaker: null,
} satisfies Partial<ToolDoc>

/** A registration as it was read. */
export function toolFrom(data: ToolDoc | undefined): ToolDoc | undefined {
  return data && { ...TOOL_DEFAULTS, ...data }
}

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

/** An idempotency key's first use, and what it came to. */
export interface IdempotencyDoc {
  call: string
  /** Of the intent; `at` is its time, RFC 3339. */
  seq: number
  at: string
  /** SHA-256 of the key and the arguments: the same key with others is a mistake. */
  argsHash: string
  /** For Firestore's TTL policy. */
  expiresAt: Date
  /** Null while the call has not ended, or nobody knows how it did. */
  outcome: IdempotencyOutcome | null
}

export interface IdempotencyOutcome {
  receipt: { log: string; seq: number; hash: string }
  status: number
  ok: boolean
  /** An ErrorCode where there was no answer, otherwise empty. */
  error: string
  /** `sha256:` and the hash of the scrubbed result in canonical form; empty where there is none. */
  resultDigest: string
}

/** A signed head of a chain's tree (docs/design.md section 4). Created unsigned; `root` never changes. */
export interface CheckpointDoc {
  orgId: string
  size: number
  /** Hex. */
  root: string
  /** The tree's partial tiles (core, `partialTiles`), lower levels first, one after the other: what a proof needs beside the full ones. */
  edge: Uint8Array
  /** The signed note; cosignatures of witnesses are appended as further lines. Null until it is signed. */
  note: string | null
  /** Signed and, where a place for it is configured, published outside. */
  finished: boolean
}

/** A full tile of a chain's tree. Never changes. */
export interface TileDoc {
  orgId: string
  level: number
  index: number
  /** 256 hashes of 32 bytes. */
  hashes: Uint8Array
}

/** A segment of a chain. Its own time is left out: what reads segments goes by that of their entries. */
export type SegmentDoc = Omit<Segment, 'at'>

/** What opens the commitments of one segment, by call. */
export interface OpeningsDoc {
  orgId: string
  first: number
  openings: Record<string, Opening>
}

/** What a chain has spent in one month: the segment's own totals, as of its entry `seq`. */
export interface UsageDoc extends Usage {
  orgId: string
  seq: number
}

export const paths = {
  agents: collectionPath<AgentDoc>('agents'),
  agent: (agentId: string) => path<AgentDoc>(`agents/${agentId}`),
  tool: (agentId: string, name: string) => path<ToolDoc>(`agents/${agentId}/tools/${name}`),
  tools: (agentId: string) => collectionPath<ToolDoc>(`agents/${agentId}/tools`),
  idempotency: (agentId: string, keyHash: string) => path<IdempotencyDoc>(`agents/${agentId}/idempotency/${keyHash}`),
  segments: (log: string) => collectionPath<SegmentDoc>(`${log}/audit`),
  usages: (log: string) => collectionPath<UsageDoc>(`${log}/usage`),
  usage: (log: string, month: string) => path<UsageDoc>(`${log}/usage/${month}`),
  checkpoint: (log: string, size: number) => path<CheckpointDoc>(`${log}/checkpoints/${size}`),
  checkpoints: (log: string) => collectionPath<CheckpointDoc>(`${log}/checkpoints`),
  tile: (log: string, level: number, index: number) => path<TileDoc>(`${log}/tiles/${level}-${index}`),
  openings: (log: string, first: number) => path<OpeningsDoc>(`${log}/openings/${segmentId(first)}`),
  org: (orgId: string) => path<OrgDoc>(`orgs/${orgId}`),
  member: (orgId: string, uid: string) => path<MemberDoc>(`orgs/${orgId}/members/${uid}`),
  owner: (uid: string) => path<OwnerDoc>(`owners/${uid}`),
  quota: (uid: string, month: string) => path<Quota>(`owners/${uid}/quota/${month}`),
  ownerKey: (keyId: string) => path<OwnerKeyDoc>(`ownerKeys/${keyId}`),
}

/** The chains' names are the paths of what they belong to. */
export const logs = {
  agent: (agentId: string) => `agents/${agentId}`,
  org: (orgId: string) => `orgs/${orgId}`,
}
