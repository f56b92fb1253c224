import { isText } from '../lib/is-text.ts'

/** What a body is, by its Content-Type (RFC 9110 section 8.3). Servers write that in many ways; the table below is all that counts. */

/** `events` are text too. */
export type BodyKind = 'events' | 'json' | 'text' | 'binary'

export interface MediaType {
  /** `type/subtype` in lower case; empty where the header names none. */
  essence: string
  /** In lower case, empty where none is named. */
  charset: string
  /** As the server wrote it. */
  written: string
}

/** Words that a subtype may be, or end with behind a `.`, `+` or `-`, and that say its format. */
const TEXT_WORDS = [
  'xml',
  'xml-dtd',
  'javascript',
  'ecmascript',
  'typescript',
  'www-form-urlencoded',
  'yaml',
  'yml',
  'toml',
  'csv',
  'graphql',
  'sql',
  'sh',
  'diff',
  'patch',
  'ndjson',
  'jsonl',
  'jsonlines',
  'json5',
  'json-lines',
  'json-seq',
  'json-stream',
]

/** The first that fits decides; what fits none is bytes. */
const KINDS: [kind: BodyKind, essence: RegExp][] = [
  ['events', /^text\/event-stream$/],
  // application/json, problem+json, x-json, x-amz-json-1.1, json+protobuf
  ['json', /\/(?:.*[.+-])?json(?:$|\+|-\d|-rpc$)/],
  ['text', new RegExp(`^text/|/(?:.*[.+-])?(?:${TEXT_WORDS.join('|')})$`)],
]
/** Types of bytes, whatever charset is named with them. */
const BYTES = /^(?:image|audio|video|font)\/|octet-stream$/

export function kindOf({ essence }: MediaType): BodyKind {
  return KINDS.find(([, pattern]) => pattern.test(essence))?.[0] ?? 'binary'
}

/**
 * The type that a Content-Type names. Of several the last counts (Fetch, "extract a MIME type"), and its parameters may follow a comma as
 * well as a semicolon.
 */
export function mediaType(contentType: string): MediaType {
  // Commas and semicolons within quotes separate nothing.
  const parts = contentType.match(/(?:"(?:[^"\\]|\\.)*"?|[^",;])+/g)?.map((part) => part.trim()) ?? []
  let type: MediaType = { essence: '', charset: '', written: '' }
  for (const part of parts) {
    const named = part.replace(/^"(.*)"$/s, '$1')
    if (/^[^\s/*=]+\/[^\s/]+$/.test(named)) type = { essence: named.toLowerCase(), charset: '', written: named }
    else type.written += `; ${part}`
    const [, charset] = /^charset\s*=\s*["']?([^"']*)/i.exec(part) ?? []
    if (charset !== undefined) type.charset ||= charset.toLowerCase()
  }
  return type
}

/**
 * The type of a body that begins so. A type that does not tell what it is (there is none, or only a charset beside a format of its own) is
 * what the beginning looks like.
 */
export function typeOf(contentType: string, beginning: Uint8Array): MediaType {
  const type = mediaType(contentType)
  const { essence, charset } = type
  if (kindOf(type) !== 'binary' || BYTES.test(essence) || (essence !== '' && charset === '')) return type
  if (!isText(beginning, charset || 'utf-8')) return type
  return { ...type, essence: essence === '' && mayBeJson(beginning) ? 'application/json' : 'text/plain' }
}

/** Whether JSON (RFC 8259) may begin so. */
function mayBeJson(beginning: Uint8Array): boolean {
  return /^\ufeff?\s*(?:[[{"\-\d]|true|false|null)/.test(Buffer.from(beginning.subarray(0, 256)).toString())
}
