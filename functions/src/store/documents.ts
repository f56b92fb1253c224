import { collectionPath, path } from './path.ts'
import type { Quota } from '@vitrine/core/log/meter'
import type { Usage } from '@vitrine/core/log/segment'
import { CALLS_PER_TOOL_MAX, RESPONSE_BYTES_DEFAULT } from '@vitrine/core/limits'
import { segmentId, type Segment } from '@vitrine/core/log/segment'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Role } from '@vitrine/core/api/organization'
import type { ArgsPolicy, AuthScheme, HttpMethod, ManifestPolicy, ToolKind } from '@vitrine/core/tool'

/** The documents in Firestore (docs/design.md section 5). Times are Firestore timestamps, written as Date. */

export interface AgentDoc {
  orgId: string
  ownerUid: string
  name: string
  /** SHA-256 of the key's secret, hex. */
  keyHash: string
  keyVersion: number
  /** The tools (`server`) and single commands (`server__command`) that the agent may see; null for everything. */
  allowedTools: string[] | null
  disabled: boolean
  /** Teams of its organization whose tool policies it may use. */
  teams?: string[]
}

export interface ToolDoc {
  orgId: string
  name: string
  kind: ToolKind
  url: string
  /** Whether the owner said that the URL is public; null in registrations from before URLs were looked at. */
  urlIsPublic: boolean | null
  method: HttpMethod
  auth: AuthScheme
  headers: Record<string, string>
  /** The `version` that set the credential, which is in CredentialDoc; null without one. */
  credential: number | null
  /** The server's description of its tools. */
  manifest: StoredList | null
  manifestHash: string | null
  enabled: boolean
  /** Whether getToolCredential may return the credential. */
  credentialAccess: boolean
  /** Counts registrations; connections of an older one are not used again. */
  version: number
  /** Limit of an answer's size in bytes, after decoding. */
  responseBytesMax: number
  /** Concurrent calls per instance. */
  concurrencyMax: number
  /** The owner's statement that calling twice has the effect of calling once, so failed calls may be retried. */
  idempotent: boolean
  /** JSON pointers (RFC 6901) into the arguments; the values they point to never enter an opening. */
  redact: string[]
  /** Whether commands that the server changed after pinning are refused, or only recorded. */
  manifestPolicy: ManifestPolicy
  argsPolicy: ArgsPolicy
  /** How long an instance reuses the server's list; 0 asks before every call. */
  manifestMaxAgeMs: number
  /** The server's list if it differs from the pinned one and waits for the owner's approval. */
  manifestPending: StoredList | null
  manifestPendingHash: string | null
  /** Why the list that the server gives instead of the pinned one cannot be taken; no command is called meanwhile. */
  manifestProblem: string | null
  breaker: BreakerDoc | null
}

/**
 * A tool's credential. Owners read registrations with Firebase's own clients; this document no client may read. It is
 * created, replaced and deleted in the commits that change the registration's `credential`.
 */
export interface CredentialDoc {
  orgId: string
  /** KMS ciphertext, bound to this document and field. */
  enc: Uint8Array
  kmsKey: string
  /** The registration's version that set it. */
  version: number
  /** The ciphertext was in the registration once, and is bound to that (scripts/migrate.ts). */
  moved?: true
}

/** A list of tools: JSON text, since Firestore cannot nest arrays, or where a long one is (manifest/lists.ts). */
export type StoredList = string | ListParts

/** A list in `parts` documents of this name: SHA-256, hex, of the text. */
export interface ListParts {
  sha256: string
  parts: number
}

/** A piece of a list in gzip. */
export interface ListPartDoc {
  bytes: Uint8Array
}

/** A registration with its credential, as calls need it. Read together. */
export type Registration = ToolDoc & { sealed: CredentialDoc | null }

/** Present while the circuit of a tool is open or being probed. Times are in milliseconds since 1970. */
export interface BreakerDoc {
  openUntilMs: number
  /** How long it is open; doubles after each failed probe. */
  openForMs: number
}

/** Values for fields that a registration leaves out, also in documents older than the field. */
export const TOOL_DEFAULTS = {
  urlIsPublic: null,
  responseBytesMax: RESPONSE_BYTES_DEFAULT,
  concurrencyMax: CALLS_PER_TOOL_MAX,
  idempotent: false,
  redact: [],
  manifestPolicy: 'block',
  argsPolicy: 'lenient',
  manifestMaxAgeMs: 0,
  manifestPending: null,
  manifestPendingHash: null,
  manifestProblem: null,
  breaker: null,
} satisfies Partial<ToolDoc>

/** A stored registration with defaults filled in. */
export function toolFrom(data: ToolDoc | undefined): ToolDoc | undefined {
  return data && { ...TOOL_DEFAULTS, ...data }
}

/** Whether its ciphertext is still in the registration, as in earlier versions: scripts/migrate.ts moves it. */
export function isOutdated(tool: ToolDoc): boolean {
  return !('credential' in tool)
}

/**
 * A registration as a call needs it. Errors: unavailable if one document was read before a change and the other after
 * it, so that a new credential never goes to the old place, nor an old one to the new; credential_unreadable for an
 * outdated document.
 */
export function registrationFrom(
  data: ToolDoc | undefined,
  credential: CredentialDoc | undefined,
): Result<Registration | undefined> {
  const tool = toolFrom(data)
  if (!tool) return ok(undefined)
  if (isOutdated(tool)) return fail('credential_unreadable')
  if (tool.credential === null) return ok({ ...tool, sealed: null })
  return credential?.version === tool.credential ? ok({ ...tool, sealed: credential }) : fail('unavailable')
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
  /** Units of `tools.invoke` per month; applies from the next quota document on. */
  monthlyInvocations: number
}

/** The first use of an idempotency key and its outcome. */
export interface IdempotencyDoc {
  call: string
  /** Sequence number of the intent; `at` is its time, RFC 3339. */
  seq: number
  at: string
  /** SHA-256 of the key and the arguments, to refuse the same key with other arguments. */
  argsHash: string
  /** For Firestore's TTL policy. */
  expiresAt: Date
  /** Null while the call runs, and if its outcome is unknown. */
  outcome: IdempotencyOutcome | null
}

export interface IdempotencyOutcome {
  receipt: { log: string; seq: number; hash: string }
  status: number
  ok: boolean
  /** An ErrorCode if the tool did not answer, otherwise empty. */
  error: string
  /** `sha256:` and the hash of the scrubbed result in canonical form; empty if there is none. */
  resultDigest: string
}

/** A signed head of a chain's tree (docs/design.md section 4). Created unsigned; `root` never changes. */
export interface CheckpointDoc {
  orgId: string
  size: number
  /** Hex. */
  root: string
  /**
   * The tree's partial tiles (core's `partialTiles`), lower levels first, concatenated: what a proof needs besides the
   * full tiles.
   */
  edge: Uint8Array
  /** The signed note, null until it is signed. Cosignatures of witnesses are appended as further lines. */
  note: string | null
  /** True once it is signed and, if a place is configured, published. */
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

/** A segment of a chain. Its own time is left out: readers use the times of its entries. */
export type SegmentDoc = Omit<Segment, 'at'>

/** The openings of one segment's commitments. */
export interface OpeningsDoc {
  orgId: string
  first: number
  /** The line of each opening (openingLine in core's log/commitment.ts), in the order of the chain; erased ones are gone. */
  openings: string[]
}

/**
 * A chain's spending in one month, as of its entry `seq`. The document is written when the chain leases units, and by
 * checkpoints: never ahead of the chain, and seldom up to date (ledger/month-usage.ts has what is).
 */
export interface UsageDoc extends Usage {
  orgId: string
  seq: number
}

export const paths = {
  agents: collectionPath<AgentDoc>('agents'),
  agent: (agentId: string) => path<AgentDoc>(`agents/${agentId}`),
  tool: (agentId: string, name: string) => path<ToolDoc>(`agents/${agentId}/tools/${name}`),
  /** `at` is the path of the document that holds the list. */
  listPart: (at: string, sha256: string, part: number) => path<ListPartDoc>(`${at}/lists/${sha256}-${part}`),
  credential: (agentId: string, name: string) => path<CredentialDoc>(`agents/${agentId}/credentials/${name}`),
  tools: (agentId: string) => collectionPath<ToolDoc>(`agents/${agentId}/tools`),
  idempotency: (agentId: string, keyHash: string) => path<IdempotencyDoc>(`agents/${agentId}/idempotency/${keyHash}`),
  /** Of all chains. */
  allSegments: collectionPath<SegmentDoc>('audit'),
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

/** A chain's name is the path of the agent or organization it belongs to. */
export const logs = {
  agent: (agentId: string) => `agents/${agentId}`,
  org: (orgId: string) => `orgs/${orgId}`,
}
