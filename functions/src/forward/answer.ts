import { bytesToBase64 } from '@vitrine/core/bytes'
import type { JsonValue } from '@vitrine/core/json-value'
import type { Answer } from '@vitrine/core/tool'

/**
 * Deeper JSON is passed on as text. JSON.parse takes any depth, but what walks or serializes the value afterwards recurses, here and
 * at whoever receives it.
 */
export const ANSWER_DEPTH_MAX = 256
const CONTENT_TYPE_LENGTH_MAX = 255

const JSON_TYPE = /^(?:application|text)\/json$|\+json$/
const TEXT_TYPE = new RegExp(
  '^text/|\\+(?:xml|yaml)$|^application/(?:x-)?(?:'
  + ['xml', 'javascript', 'ecmascript', 'www-form-urlencoded', 'yaml', 'graphql', 'toml', 'sql', 'sh', 'ndjson', 'jsonl', 'jsonlines', 'json-seq'].join('|')
  + ')$',
)

/** Byte order marks, which tell more surely than a header what a text is written in (WHATWG Encoding, section 6). */
const BYTE_ORDER_MARKS: [label: string, mark: number[]][] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
]

/**
 * A response body by its Content-Type: JSON as JSON, text in the charset that it names (UTF-8 with replacement characters where it
 * names none that exists), anything else as bytes. An empty body is JSON null, and JSON that does not parse is text.
 */
export function toAnswer(contentType: string, bytes: Uint8Array): Answer {
  if (bytes.length === 0) return { type: 'json', value: null }
  const essence = contentType.split(';', 1)[0]!.trim().toLowerCase()
  if (JSON_TYPE.test(essence)) return jsonOrText(decodeText(contentType, bytes))
  if (TEXT_TYPE.test(essence)) return { type: 'text', text: decodeText(contentType, bytes) }
  const named = /^[^/\s]+\/[^/\s]+$/.test(essence) && contentType.length <= CONTENT_TYPE_LENGTH_MAX
  return { type: 'binary', bytes, contentType: named ? contentType : 'application/octet-stream' }
}

/** An answer as the caller gets it: JSON and text as they are, bytes as `{base64, contentType}`. */
export function toResult(answer: Answer): JsonValue {
  switch (answer.type) {
    case 'json':
      return answer.value
    case 'text':
      return answer.text
    case 'binary':
      return { base64: bytesToBase64(answer.bytes), contentType: answer.contentType }
  }
}

function jsonOrText(text: string): Answer {
  try {
    const value = JSON.parse(text) as JsonValue
    return isDeeperThan(value, ANSWER_DEPTH_MAX) ? { type: 'text', text } : { type: 'json', value }
  } catch {
    return { type: 'text', text }
  }
}

export function isDeeperThan(value: JsonValue, levels: number): boolean {
  if (value === null || typeof value !== 'object') return false
  if (levels === 0) return true
  const inner = Array.isArray(value) ? value : Object.values(value)
  return inner.some((item) => isDeeperThan(item, levels - 1))
}

function decodeText(contentType: string, bytes: Uint8Array): string {
  const marked = BYTE_ORDER_MARKS.find(([, mark]) => mark.every((byte, i) => bytes[i] === byte))
  const charset = marked?.[0] ?? /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1] ?? 'utf-8'
  return decoderFor(charset).decode(bytes)
}

function decoderFor(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset)
  } catch {
    return new TextDecoder()
  }
}
