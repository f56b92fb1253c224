import { CANONICAL_DEPTH_MAX } from '../limits.ts'
import { isNumberLiteral, numberOf, type NumberLiteral } from './number-literal.ts'
import {
  beginsNumber,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  endOfNumber,
  endOfString,
  isLiteralKept,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
} from './text.ts'
import { isObject, type JsonObject, type JsonValue } from './value.ts'

/**
 * Reads JSON as `JSON.parse` does, but for numbers that a double does not give back as they came: those are
 * NumberLiterals. Throws SyntaxError.
 *
 * A reviver with `context.source` would do the same and takes 20 times as long as `JSON.parse` and ten times the
 * memory. Here ordinary texts cost one look at them, and others about three times as much.
 */
export function parseJson(text: string): JsonValue {
  const value = JSON.parse(text) as JsonValue
  return hasLiterals(text) ? withLiterals(text, value) : value
}

/**
 * Whether a text that is JSON holds a number to keep as its literal. False for one that nests deeper than anything that
 * is taken: it is refused or passed on as text.
 */
export function hasLiterals(text: string): boolean {
  let depth = 0
  let found = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (++depth > CANONICAL_DEPTH_MAX) return false
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth--
    else if (beginsNumber(code)) {
      const end = endOfNumber(text, at)
      found ||= isLiteralKept(text, at, end)
      at = end - 1
    }
  }
  return found
}

/**
 * Puts the literals of a text in place of the doubles in its value. It walks through both side by side; of a key that
 * an object has twice, the last value is there, and is walked through last.
 */
function withLiterals(text: string, whole: JsonValue): JsonValue {
  let at = 0

  /** Reads on over one value; its number, if it is one. `read` is what JSON.parse has at this place. */
  function next(read: JsonValue | undefined): number | NumberLiteral | undefined {
    const code = codeAfterSpace()
    if (code === QUOTE) at = endOfString(text, at) + 1
    else if (code === OPEN_ARRAY) items(Array.isArray(read) ? read : [])
    else if (code === OPEN_OBJECT) fields(isObject(read) ? read : {})
    else if (beginsNumber(code)) {
      const start = at
      at = endOfNumber(text, at)
      return numberOf(text.slice(start, at))
    } else at += text.startsWith('false', at) ? 5 : 4
    return undefined
  }

  function items(list: JsonValue[]): void {
    at++
    for (let i = 0; codeAfterSpace() !== CLOSE_ARRAY; i++) {
      const number = next(list[i])
      if (number !== undefined && isNumber(list[i])) list[i] = number
      if (codeAfterSpace() === COMMA) at++
    }
    at++
  }

  function fields(object: JsonObject): void {
    at++
    while (codeAfterSpace() !== CLOSE_OBJECT) {
      const key = nextKey()
      const own = Object.hasOwn(object, key)
      const number = next(own ? object[key] : undefined)
      if (number !== undefined && isNumber(object[key])) object[key] = number
      if (codeAfterSpace() === COMMA) at++
    }
    at++
  }

  function nextKey(): string {
    const start = at
    at = endOfString(text, at) + 1
    const quoted = text.slice(start, at)
    const key = quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1)
    codeAfterSpace()
    at++ // the colon
    return key
  }

  function codeAfterSpace(): number {
    for (;;) {
      const code = text.charCodeAt(at)
      if (code > 0x20 || Number.isNaN(code)) return code
      at++
    }
  }

  return next(whole) ?? whole
}

function isNumber(value: JsonValue | undefined): boolean {
  return typeof value === 'number' || isNumberLiteral(value)
}
