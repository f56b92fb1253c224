import { base64ToBytes } from '../bytes.ts'
import { canonicalize } from '../json/jcs.ts'
import { entryLine, type Action, type Entry } from './entry.ts'
import { isObject, type JsonValue } from '../json/value.ts'
import { isId, isSha256 } from '../names.ts'
import type { Result } from '../result.ts'

/**
 * The export bundle for auditors: JSONL in UTF-8. Each line is one of these objects in canonical form (jcs.ts), and a
 * newline. Lines are ordered: `bundle`, `key`s, then for each chain `chain`, `checkpoint`s by size, entries (each
 * segment's followed by its `opening`s), `usage` by month. `end` is last and shows that the bundle is complete. An
 * organization's own chain precedes those of its agents, because it records their checkpoints; agents are sorted by
 * name.
 */
export type BundleLine =
  BundleHead | KeyLine | ChainLine | CheckpointLine | EntryLine | OpeningLine | UsageLine | EndLine

export interface BundleHead {
  type: 'bundle'
  v: 1
  project: string
  /** The exported chain, `agents/{id}`, or the organization whose chains are all exported, `orgs/{id}`. */
  scope: string
  /** Whether openings are included, which depends on the permissions of the user who exports. */
  openings: boolean
}

/** A key that signs checkpoints. The bundle does not authenticate it: verifiers must get it elsewhere. */
export interface KeyLine {
  type: 'key'
  /** Resource name of the KMS key version. Only a label. */
  name: string
  /** 32 bytes, base64. */
  publicKey: string
}

export interface ChainLine {
  type: 'chain'
  log: string
  orgId: string
  /** `{project}/{log}`, the first line of the chain's checkpoints. */
  origin: string
  /** Number of the chain's entries in this bundle, fixed when the chain's export started. */
  size: number
  /** Hash of the last entry; 64 zeros for an empty chain. */
  head: string
}

export interface CheckpointLine {
  type: 'checkpoint'
  log: string
  size: number
  /** The signed note (note.ts), with its cosignatures. */
  note: string
}

export interface EntryLine {
  type: 'entry'
  entry: Entry
}

/** Opens the commitment of the intent with this `call`. */
export interface OpeningLine {
  type: 'opening'
  log: string
  call: string
  salt: string
  args: string
}

export interface UsageLine {
  type: 'usage'
  log: string
  month: string
  invoked: number
  credited: number
}

export interface EndLine {
  type: 'end'
  chains: number
  entries: number
}

/** Longest line in characters. Escaping may make 256 KiB of arguments six times as long. */
export const BUNDLE_LINE_LENGTH_MAX = 4 * 1024 * 1024

/**
 * `not_json`: can't be parsed. `not_canonical`: JSON, but not in canonical form (white space, a repeated key, order of
 * keys, spelling of a number or string). `bad_field`: not one of the objects above. `unknown_action`: an entry whose
 * action this version does not know.
 */
export type LineErrorCode = 'not_json' | 'not_canonical' | 'bad_field' | 'unknown_action'

export interface LineError {
  code: LineErrorCode
  /** For a person, without a full stop. */
  reason: string
  /** The parsed line, if it is JSON, for callers that continue despite the error. */
  value?: JsonValue
}

/** A line with its newline. Throws TypeError for values that canonical JSON cannot represent. */
export function writeBundleLine(line: BundleLine): string {
  return `${canonicalize(line)}\n`
}

/** The bundle's line of an entry, without a newline, from the entry's own line. */
export function entryBundleLine(line: string): string {
  return ENTRY_LINE_HEAD + line + ENTRY_LINE_TAIL
}

/** Parses a line without its newline. Errors: not_json, not_canonical, bad_field, unknown_action. */
export function parseBundleLine(text: string): Result<BundleLine, LineError> {
  if (text.length > BUNDLE_LINE_LENGTH_MAX)
    return lineError('not_json', `the line is longer than ${BUNDLE_LINE_LENGTH_MAX} characters`)
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch {
    return lineError('not_json', 'the line is not JSON')
  }
  if (isEntryLine(value) && entryLineText(value.entry) === text) return { ok: true, value }
  return parseSlowly(text, value)
}

/** The entry's own line, cut out of a line that parsed. */
export function entryTextOf(line: string): string {
  return line.slice(ENTRY_LINE_HEAD.length, -ENTRY_LINE_TAIL.length)
}

function parseSlowly(text: string, value: JsonValue): Result<BundleLine, LineError> {
  let canonical: string
  try {
    canonical = canonicalize(value)
  } catch (error) {
    return lineError('not_canonical', (error as Error).message)
  }
  if (canonical !== text)
    return lineError('not_canonical', `the line is not canonical JSON (${differenceOf(text, canonical)})`, value)
  const problem = problemOfLine(value)
  return problem === undefined
    ? { ok: true, value: value as unknown as BundleLine }
    : { ok: false, error: { ...problem, value } }
}

/** Why a canonical value is not a line of a bundle; undefined if it is one. */
export function problemOfLine(value: JsonValue): LineError | undefined {
  if (!isObject(value)) return { code: 'bad_field', reason: 'the line is not an object' }
  const type = value['type']
  const fields = typeof type === 'string' && Object.hasOwn(LINES, type) ? LINES[type as BundleLine['type']] : undefined
  if (fields === undefined) return { code: 'bad_field', reason: 'the line is of no known type' }
  const wrong = wrongField(value, fields)
  if (wrong !== undefined)
    return { code: 'bad_field', reason: `"${wrong}" of the ${String(type)} line is missing, unknown or malformed` }
  return type === 'entry' ? problemOfEntry(value['entry']) : undefined
}

function problemOfEntry(entry: JsonValue | undefined): LineError | undefined {
  const wrong = isObject(entry) ? wrongField(entry, ENTRY) : 'entry'
  if (wrong !== undefined)
    return { code: 'bad_field', reason: `"${wrong}" of the entry is missing, unknown or malformed` }
  const action = (entry as unknown as Entry).action
  return Object.hasOwn(ACTIONS, action)
    ? undefined
    : { code: 'unknown_action', reason: `the action "${action}" is not known` }
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isName: Check = (value) => typeof value === 'string' && value !== ''
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isHex32: Check = (value) => typeof value === 'string' && isSha256(value)
const isMonth: Check = (value) => typeof value === 'string' && /^[0-9]{4}-(?:0[1-9]|1[0-2])$/.test(value)
const isV1: Check = (value) => value === 1
const isBoolean: Check = (value) => typeof value === 'boolean'
const isAnything: Check = () => true

/** Fields are sorted by name, as in canonical form. */
const ENTRY = {
  action: isName,
  actor: isName,
  call: isText,
  log: isLog,
  meta: isMeta,
  prev: isHex32,
  seq: isCount,
  target: isText,
  ts: isTimestamp,
  v: isV1,
} satisfies Record<keyof Entry, Check>

const LINES: { [T in BundleLine['type']]: Record<keyof Extract<BundleLine, { type: T }>, Check> } = {
  bundle: { openings: isBoolean, project: isName, scope: isLog, type: isName, v: isV1 },
  key: { name: isName, publicKey: isPublicKey, type: isName },
  chain: { head: isHex32, log: isLog, orgId: isName, origin: isName, size: isCount, type: isName },
  checkpoint: { log: isLog, note: isName, size: isCount, type: isName },
  entry: { entry: isAnything, type: isName },
  opening: { args: isText, call: isName, log: isLog, salt: isHex32, type: isName },
  usage: { credited: isCount, invoked: isCount, log: isLog, month: isMonth, type: isName },
  end: { chains: isCount, entries: isCount, type: isName },
}

/** Every action; the compiler checks that none is missing. An entry with any other action is refused. */
const ACTIONS: Record<Action, true> = {
  'tool.register': true,
  'tool.update': true,
  'tool.enable': true,
  'tool.disable': true,
  'tool.invoke.intent': true,
  'tool.invoke': true,
  'tool.deny': true,
  'tool.getCredential': true,
  'tool.reconcile': true,
  'tool.manifestChanged': true,
  'agent.enable': true,
  'agent.disable': true,
  'key.create': true,
  'key.rotate': true,
  'key.revoke': true,
  'quota.update': true,
  'quota.release': true,
  'policy.update': true,
  'connector.connect': true,
  'connector.event': true,
  'secret.put': true,
  'secret.delete': true,
  redaction: true,
  checkpoint: true,
}

function wrongField(value: Record<string, JsonValue>, fields: Record<string, Check>): string | undefined {
  const missing = Object.keys(fields).find((name) => !Object.hasOwn(value, name) || !fields[name]!(value[name]))
  return missing ?? Object.keys(value).find((name) => !Object.hasOwn(fields, name))
}

const ENTRY_LINE_HEAD = '{"entry":'
const ENTRY_LINE_TAIL = ',"type":"entry"}'

/** A faster `problemOfLine(value) === undefined` for entries, which are nearly all lines of a bundle. */
function isEntryLine(value: JsonValue): value is JsonValue & EntryLine {
  if (!isObject(value) || value['type'] !== 'entry' || !isObject(value['entry'])) return false
  const e = value['entry'] as Record<string, unknown>
  return (
    e['v'] === 1 &&
    isCount(e['seq']) &&
    isName(e['action']) &&
    Object.hasOwn(ACTIONS, e['action'] as string) &&
    isName(e['actor']) &&
    isText(e['target']) &&
    isText(e['call']) &&
    isLog(e['log']) &&
    isHex32(e['prev']) &&
    isTimestamp(e['ts']) &&
    isMeta(e['meta'])
  )
}

/** The canonical line of this entry. A line with other fields, or in another order, differs from it. */
function entryLineText(entry: Entry): string | undefined {
  try {
    return entryBundleLine(entryLine(entry))
  } catch {
    return undefined // a lone surrogate, which JSON.stringify escapes
  }
}

function isLog(value: unknown): boolean {
  if (typeof value !== 'string') return false
  const prefix = value.startsWith('agents/') ? 7 : value.startsWith('orgs/') ? 5 : 0
  return prefix > 0 && isId(value.slice(prefix))
}

/** RFC 3339 in UTC with milliseconds, exactly as `Date.prototype.toISOString` writes a year of four digits. */
function isTimestamp(value: unknown): boolean {
  if (typeof value !== 'string' || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/.test(value))
    return false
  const ms = Date.parse(value)
  return !Number.isNaN(ms) && new Date(ms).toISOString() === value
}

/** Scalars only, and numbers only integers: they survive Firestore unchanged. */
function isMeta(value: unknown): boolean {
  if (!isObject(value)) return false
  return Object.values(value).every((v) => typeof v === 'string' || typeof v === 'boolean' || Number.isSafeInteger(v))
}

function isPublicKey(value: unknown): boolean {
  try {
    return typeof value === 'string' && base64ToBytes(value).length === 32
  } catch {
    return false
  }
}

function differenceOf(text: string, canonical: string): string {
  let at = 0
  while (at < text.length && text[at] === canonical[at]) at += 1
  return `they differ at character ${at + 1}: white space, a repeated key, the order of keys or the spelling of a value`
}

function lineError(code: LineErrorCode, reason: string, value?: JsonValue): { ok: false; error: LineError } {
  return { ok: false, error: { code, reason, ...(value !== undefined && { value }) } }
}
