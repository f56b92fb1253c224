import {
  beginsNumber,
  COLON,
  COMMA,
  endOfNumber,
  endOfString,
  isLiteralKept,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
} from '@vitrine/core/json/text'

/**
 * Estimates how much heap JSON takes once parsed. Running out of memory in any thread ends the whole process, so the
 * estimate is made before parsing. The costs, in bytes, were measured on V8 (Node 24) over arrays, objects, keys and
 * strings of every length.
 */
const BYTES = { container: 64, key: 24, item: 8, string: 16, literal: 56 }

/** Weighs a text that is JSON, or may be. One pass, a few milliseconds per megabyte; ten of numbers with many digits. */
export function weightOf(text: string): number {
  let weight = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    switch (code) {
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        weight += BYTES.container
        break
      case COLON:
        weight += BYTES.key
        break
      case COMMA:
        weight += BYTES.item
        break
      case QUOTE: {
        const end = endOfString(text, i)
        weight += BYTES.string + end - i
        i = end
        break
      }
      default:
        if (beginsNumber(code)) {
          const end = endOfNumber(text, i)
          if (isLiteralKept(text, i, end)) weight += BYTES.literal + end - i
          i = end - 1
        }
    }
  }
  return weight
}
