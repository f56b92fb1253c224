import { utf8 } from '../bytes.ts'
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

/**
 * The line of an entry: its canonical JSON (RFC 8785), the same as `canonicalize(entry)`. It is what is stored, hashed
 * and exported. The fields are known, so that only `meta` has to be walked. Throws TypeError for what JSON cannot hold.
 */
export function entryLine({ action, actor, call, log, meta, prev, seq, target, ts, v }: Entry): string {
  if (!Number.isSafeInteger(seq)) throw new TypeError(`an entry has no number ${seq}`)
  return (
    `{"action":${quoted(action)},"actor":${quoted(actor)},"call":${quoted(call)},"log":${quoted(log)},` +
    `"meta":${canonicalize(meta)},"prev":${quoted(prev)},"seq":${seq},"target":${quoted(target)},` +
    `"ts":${quoted(ts)},"v":${v}}`
  )
}

function quoted(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('an entry has a lone surrogate')
  return JSON.stringify(text)
}

/** The entry of a stored line. Nothing is checked but that it is JSON: throws SyntaxError otherwise. */
export function readEntry(line: string): Entry {
  return JSON.parse(line) as Entry
}

/** `SHA-256(0x00 || line)`, hex, over the line in UTF-8: what links the chain, and also the RFC 6962 leaf hash. */
export function hashLine(line: string): string {
  return sha256Hex(utf8(`\0${line}`))
}

/** For an entry that somebody else handed over: fields that none of ours has count too. */
export function hashEntry(entry: Entry): string {
  return hashLine(canonicalize(entry))
}
