import { CANONICAL_DEPTH_MAX } from './limits.ts'

/**
 * JSON Canonicalization Scheme, RFC 8785.
 *
 * What JSON cannot represent throws TypeError instead of vanishing: undefined, functions, symbols, bigint, NaN and
 * infinities, lone surrogates, cycles, nesting beyond `CANONICAL_DEPTH_MAX`, and objects that are not plain (`toJSON` is
 * not honoured). A ledger must never hash something else than what it stores.
 */
export function canonicalize(value: unknown): string {
  return write(value, 0)
}

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw new TypeError('JCS: lone surrogate')
      return JSON.stringify(value)
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`JCS: ${value} is not JSON`)
      return JSON.stringify(value) // ECMAScript number serialization is what RFC 8785 section 3.2.2.3 asks for
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      return value === null ? 'null' : writeContainer(value, depth)
    default:
      throw new TypeError(`JCS: ${typeof value} is not JSON`)
  }
}

function writeContainer(value: object, depth: number): string {
  // A cycle is endless depth, so the bound finds it too.
  if (depth === CANONICAL_DEPTH_MAX) throw new TypeError(`JCS: nested deeper than ${CANONICAL_DEPTH_MAX} levels, or cyclic`)
  return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1)
}

function writeArray(value: unknown[], depth: number): string {
  let text = '['
  for (let i = 0; i < value.length; i++) text += (i === 0 ? '' : ',') + write(value[i], depth)
  return text + ']'
}

function writeObject(value: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('JCS: not a plain object')
  let text = '{'
  // Array.prototype.sort orders by UTF-16 code units, as RFC 8785 section 3.2.3 does.
  for (const key of Object.keys(value).sort()) {
    text += (text.length === 1 ? '' : ',') + write(key, depth) + ':' + write((value as Record<string, unknown>)[key], depth)
  }
  return text + '}'
}
