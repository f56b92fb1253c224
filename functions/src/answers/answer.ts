import { parseJson } from '@vitrine/core/json/parse'
import { isContainer, type JsonValue } from '@vitrine/core/json/value'
import type { Answer } from '@vitrine/core/tool'
import { kindOf, typeOf, type MediaType } from './media-type.ts'

/**
 * Deeper JSON is passed on as text. JSON.parse takes any depth, but everything that walks or serializes the value
 * afterwards recurses, here and at the receiver.
 */
export const ANSWER_DEPTH_MAX = 256
const CONTENT_TYPE_LENGTH_MAX = 255

/** A byte order mark says more reliably than a header how a text is encoded (WHATWG Encoding, section 6). */
const BYTE_ORDER_MARKS: [label: string, mark: number[]][] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
]

/**
 * Reads a response body by its type (media-type.ts): JSON as JSON, text in the charset it names (UTF-8 with replacement
 * characters if it names none that exists), anything else as bytes. An empty body is JSON null; JSON that does not
 * parse is text.
 */
export function toAnswer(contentType: string, bytes: Uint8Array): Answer {
  if (bytes.length === 0) return { type: 'json', value: null }
  const type = typeOf(contentType, bytes)
  const kind = kindOf(type)
  if (kind === 'json') return jsonOrText(decoderFor(type, bytes).decode(bytes))
  if (kind !== 'binary') return { type: 'text', text: decoderFor(type, bytes).decode(bytes) }
  const { essence, written } = type
  const isNamed = essence !== '' && written.length <= CONTENT_TYPE_LENGTH_MAX
  return { type: 'binary', bytes, contentType: isNamed ? written : 'application/octet-stream' }
}

/** An answer as the caller gets it: JSON and text as they are, bytes as `{base64, contentType}`. */
export function toResult(answer: Answer): JsonValue {
  switch (answer.type) {
    case 'json':
      return answer.value
    case 'text':
      return answer.text
    case 'binary':
      return { base64: base64Of(answer.bytes), contentType: answer.contentType }
  }
}

/** Node's own encoder: core's, which also runs in browsers, is a hundred times slower. */
export function base64Of({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('base64')
}

function jsonOrText(text: string): Answer {
  try {
    const value = parseJson(text)
    return isDeeperThan(value, ANSWER_DEPTH_MAX) ? { type: 'text', text } : { type: 'json', value }
  } catch {
    return { type: 'text', text }
  }
}

export function isDeeperThan(value: JsonValue, levels: number): boolean {
  if (!isContainer(value)) return false
  if (levels === 0) return true
  const inner = Array.isArray(value) ? value : Object.values<JsonValue>(value)
  return inner.some((item) => isDeeperThan(item, levels - 1))
}

/** A decoder for text of this type that begins with these bytes. */
export function decoderFor(type: MediaType, beginning: Uint8Array): TextDecoder {
  const marked = BYTE_ORDER_MARKS.find(([, mark]) => mark.every((byte, i) => beginning[i] === byte))
  const charset = marked?.[0] ?? (type.charset || 'utf-8')
  try {
    return new TextDecoder(charset)
  } catch {
    return new TextDecoder()
  }
}

/** Whether these bytes may still turn out to begin with a byte order mark. */
export function mayBecomeMark(beginning: Uint8Array): boolean {
  return BYTE_ORDER_MARKS.some(
    ([, mark]) => beginning.length < mark.length && beginning.every((byte, i) => byte === mark[i]),
  )
}
