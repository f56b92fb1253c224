import { BUNDLE_LINE_LENGTH_MAX } from '@vitrine/core/log/bundle'
import { badInput } from './bad-input.ts'

/** Splits a bundle into lines. */

/** Some complete lines, in order. */
export interface LineBatch {
  /** Lines without newlines; undefined for one that is not UTF-8. */
  lines: (string | undefined)[]
  /** Bytes of these lines, including newlines. */
  bytes: number
  /** True for a last line without a newline, which is then the batch's only line. */
  cut: boolean
}

const NEWLINE = 0x0a

// ignoreBOM keeps a byte order mark, which canonical JSON may not have, so that it is reported.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Splits a stream into lines. It decodes a whole chunk at once, because a call per line would cost more than parsing.
 * Throws bad_input for a line longer than a bundle's may be.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<LineBatch> {
  let kept: Uint8Array[] = []
  let keptBytes = 0
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE) + 1
    if (end > 0) {
      const whole = kept.length === 0 ? chunk.subarray(0, end) : Buffer.concat([...kept, chunk.subarray(0, end)])
      yield { lines: decode(whole.subarray(0, -1)), bytes: whole.length, cut: false }
      kept = []
      keptBytes = 0
    }
    if (end === chunk.length) continue
    // Copies, because the reader may reuse its buffer; a Buffer's `slice` would not copy.
    kept.push(Buffer.from(chunk.subarray(end)))
    keptBytes += chunk.length - end
    if (keptBytes > BUNDLE_LINE_LENGTH_MAX)
      throw badInput(`this is not a bundle: it has a line longer than ${BUNDLE_LINE_LENGTH_MAX} bytes`)
  }
  if (keptBytes > 0) yield { lines: decode(Buffer.concat(kept)), bytes: keptBytes, cut: true }
}

function decode(bytes: Uint8Array): (string | undefined)[] {
  const text = decodeText(bytes)
  return text === undefined ? decodeEach(bytes) : text.split('\n')
}

/** Splits before decoding: in UTF-8 a newline byte is never part of another character. */
function decodeEach(bytes: Uint8Array): (string | undefined)[] {
  const lines: (string | undefined)[] = []
  let start = 0
  while (start <= bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start)
    const end = newline === -1 ? bytes.length : newline
    lines.push(decodeText(bytes.subarray(start, end)))
    start = end + 1
  }
  return lines
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}
