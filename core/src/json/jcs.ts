import { CANONICAL_DEPTH_MAX } from '../limits.ts'
import { isNumberLiteral, type NumberLiteral } from './number-literal.ts'

/**
 * JSON Canonicalization Scheme, RFC 8785.
 *
 * What JSON cannot represent throws TypeError instead of being dropped: undefined, functions, symbols, bigint, NaN and
 * infinities, number literals, lone surrogates, cycles, nesting beyond `CANONICAL_DEPTH_MAX`, and objects that are not
 * plain (`toJSON` is ignored). The ledger must hash exactly what it stores.
 */
export function canonicalize(value: unknown): string {
  const out: Out = { text: '', literals: false }
  write(value, 0, out)
  return out.text
}

/**
 * The canonical text of JSON that others chose (arguments, results): as in RFC 8785, but every number stands as the
 * literal that it came as. JCS would change `725653563933458432`, and has nothing for `1e400`. The same as
 * `canonicalize` where a double gives every number back as it came. Throws TypeError as that does.
 */
export function canonicalText(value: unknown): string {
  const out: Out = { text: '', literals: true }
  write(value, 0, out)
  return out.text
}

/**
 * Passes the canonical text to `take` in pieces: one string concatenated from millions of parts takes many times its
 * length in memory.
 */
export function canonicalPieces(value: unknown, take: (piece: string) => void): void {
  const out: Out = { text: '', literals: true, take }
  write(value, 0, out)
  take(out.text)
}

const PIECE_LENGTH = 64 * 1024

interface Out {
  text: string
  /** Whether number literals are written as they are. */
  literals: boolean
  take?: (piece: string) => void
}

function write(value: unknown, depth: number, out: Out): void {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw new TypeError('JCS: lone surrogate')
      out.text += JSON.stringify(value)
      break
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`JCS: ${value} is not JSON`)
      out.text += JSON.stringify(value) // ECMAScript's number format is the one that RFC 8785 section 3.2.2.3 requires
      break
    case 'boolean':
      out.text += value ? 'true' : 'false'
      break
    case 'object':
      if (value === null) out.text += 'null'
      else if (isNumberLiteral(value)) out.text += verbatim(value, out)
      else writeContainer(value, depth, out)
      break
    default:
      throw new TypeError(`JCS: ${typeof value} is not JSON`)
  }
  if (out.take && out.text.length > PIECE_LENGTH) {
    out.take(out.text)
    out.text = ''
  }
}

function verbatim({ rawJSON }: NumberLiteral, { literals }: Out): string {
  if (!literals) throw new TypeError(`JCS: ${rawJSON.slice(0, 40)} is no number that a double gives back as it came`)
  return rawJSON
}

function writeContainer(value: object, depth: number, out: Out): void {
  // A cycle nests without end, so the depth bound finds it too.
  if (depth === CANONICAL_DEPTH_MAX)
    throw new TypeError(`JCS: nested deeper than ${CANONICAL_DEPTH_MAX} levels, or cyclic`)
  if (Array.isArray(value)) writeArray(value, depth + 1, out)
  else writeObject(value, depth + 1, out)
}

function writeArray(value: unknown[], depth: number, out: Out): void {
  out.text += '['
  for (let i = 0; i < value.length; i++) {
    if (i > 0) out.text += ','
    write(value[i], depth, out)
  }
  out.text += ']'
}

function writeObject(value: object, depth: number, out: Out): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('JCS: not a plain object')
  out.text += '{'
  // Array.prototype.sort orders by UTF-16 code units, as RFC 8785 section 3.2.3 requires.
  const keys = Object.keys(value).sort()
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    if (i > 0) out.text += ','
    write(key, depth, out)
    out.text += ':'
    write((value as Record<string, unknown>)[key], depth, out)
  }
  out.text += '}'
}
