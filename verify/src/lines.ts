import { BUNDLE_LINE_LENGTH_MAX } from '@vitrine/core/log/bundle'
import { badInput } from './bad-input.ts'

/** Some whole lines, in order. */
export interface LineBatch {
  /** Without newlines; undefined for one that is not UTF-8. */
  lines: (string | undefined)[]
  /** Bytes that these lines take, newlines included. */
  bytes: number
  /** True for a last line that has no newline behind it, which then is the batch's only one. */
  cut: boolean
}

const NEWLINE = 0x0a

// ignoreBOM keeps a byte order mark, which canonical JSON may not have.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Cuts a stream into lines. A chunk is decoded in one piece: a call per line would cost more than the parsing.
 * Throws bad_input on a line that is too long to be one of a bundle.
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
    // A copy, as the reader may use its buffer again; `slice` of a Buffer would be none.
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

/** A newline byte is never part of another character in UTF-8, so that lines can be told before they are decoded. */
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
