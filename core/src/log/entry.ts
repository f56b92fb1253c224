import { utf8, concatBytes } from '../bytes.ts'
import { canonicalize } from '../json/jcs.ts'
import { sha256Hex } from '#sha256'

/** Entries of the audit chains: their fields, and the hash that links them. */

/** What happened. `tool.invoke.intent` is durable before the tool is called; `tool.invoke` records the outcome. */
export const ACTIONS = [
  'tool.register',
  'tool.update',
  'tool.enable',
  'tool.disable',
  'tool.invoke.intent',
  'tool.invoke',
  'tool.deny',
  'tool.getCredential',
  'tool.reconcile',
  'tool.manifestChanged',
  'agent.enable',
  'agent.disable',
  'key.create',
  'key.rotate',
  'key.revoke',
  'quota.update',
  'quota.release',
  'policy.update',
  'connector.connect',
  'connector.event',
  'secret.put',
  'secret.delete',
  'redaction',
  'checkpoint',
] as const
export type Action = (typeof ACTIONS)[number]

/** Scalars only, so that an entry survives Firestore unchanged. Numbers are integers. */
export type Meta = Record<string, string | number | boolean>

/**
 * One line of an audit chain. Every reader of the chain sees all of it, so it holds no arguments, results or
 * credentials.
 */
export interface Entry {
  /** Version of this shape. */
  v: 1
  /** The chain: `agents/{agentId}` or `orgs/{orgId}`. */
  log: string
  /** Position in the chain, from 0. */
  seq: number
  /** Hash of the previous entry, hex; 64 zeros for the first entry. */
  prev: string
  /** When it was recorded, RFC 3339 in UTC with milliseconds; never earlier than the previous entry. */
  ts: string
  action: Action
  /** `agent:{id}`, `user:{uid}`, `worker:{policyId}` or `system:{name}`. */
  actor: string
  /** What the action applied to: a tool's name, or the id of an agent, key or owner. */
  target: string
  /** Id of the invocation, shared by its intent and its outcome; empty for other actions. */
  call: string
  meta: Meta
}

/** The fields that the writer chooses; the chain adds the others. */
export type Draft = Pick<Entry, 'action' | 'actor' | 'target' | 'call' | 'meta'>

export const GENESIS_PREV = '0'.repeat(64)

const LEAF_PREFIX = Uint8Array.of(0x00)

/** `SHA-256(0x00 || JCS(entry))`, hex: the hash that links the chain, and also the RFC 6962 leaf hash. */
export function hashEntry(entry: Entry): string {
  return hashEntryText(canonicalize(entry))
}

/** The same for an entry that is already in canonical form. */
export function hashEntryText(canonical: string): string {
  return sha256Hex(concatBytes(LEAF_PREFIX, utf8(canonical)))
}
