import { CANONICAL_DEPTH_MAX } from '../limits.ts'
import { doubleOf, isNumberLiteral } from './number-literal.ts'
import { objectOf } from './object-of.ts'
import { isContainer, type JsonValue } from './value.ts'

/**
 * A value with every string, number, boolean and null replaced by what `replace` makes of it. Parts in which nothing
 * changes are not copied. What is deeper than anything that is taken stays as it is.
 */
export function mapScalars(
  value: JsonValue,
  replace: (scalar: JsonValue) => JsonValue,
  levels = CANONICAL_DEPTH_MAX,
): JsonValue {
  if (!isContainer(value)) return replace(value)
  if (levels === 0) return value
  const keys = Array.isArray(value) ? null : Object.keys(value)
  const before = Array.isArray(value) ? value : Object.values<JsonValue>(value)
  const after = before.map((inner) => mapScalars(inner, replace, levels - 1))
  if (after.every((inner, i) => inner === before[i])) return value
  return keys === null ? after : objectOf(keys, after)
}

/** The same with doubles in place of number literals: for what Vitrine or a protocol itself reads. */
export function withDoubles<Value extends JsonValue>(value: Value): Value {
  return mapScalars(value, (scalar) => (isNumberLiteral(scalar) ? doubleOf(scalar) : scalar)) as Value
}
