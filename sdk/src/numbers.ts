import { mapScalars } from '@vitrine/core/json/map-scalars'
import { isNumberLiteral, type NumberLiteral } from '@vitrine/core/json/number-literal'
import { parseJson } from '@vitrine/core/json/parse'
import type { JsonValue } from '@vitrine/core/json/value'

/**
 * How numbers of answers are read.
 * - double: as `JSON.parse` reads them, so that `725653563933458432` becomes 725653563933458400 and `1e400` Infinity
 * - exact: integers beyond `Number.MAX_SAFE_INTEGER` are bigints, and other numbers that a double does not hold are NumberLiterals
 * - literal: every number that a double would print otherwise is a NumberLiteral (`1.0` too): `JSON.stringify` writes what the tool wrote
 */
export type Numbers = 'double' | 'exact' | 'literal'

export type ParseJson = (text: string) => unknown

export const PARSERS: Record<Numbers, ParseJson> = {
  double: (text) => JSON.parse(text) as unknown,
  exact: (text) => mapScalars(parseJson(text), (scalar) => exact(scalar) as JsonValue),
  literal: parseJson,
}

function exact(scalar: JsonValue): JsonValue | bigint {
  if (typeof scalar === 'number')
    return Number.isInteger(scalar) && !Number.isSafeInteger(scalar) && isDigits(String(scalar))
      ? BigInt(scalar)
      : scalar
  if (!isNumberLiteral(scalar)) return scalar
  if (isDigits(scalar.rawJSON) && !Object.is(Number(scalar.rawJSON), -0)) return BigInt(scalar.rawJSON)
  return isHeld(scalar) ? Number(scalar.rawJSON) : scalar
}

function isDigits(literal: string): boolean {
  return /^-?\d+$/.test(literal)
}

/** Decimals of so many digits all come out of a double with the same value. */
const SAFE_DIGITS = 15

function isHeld({ rawJSON }: NumberLiteral): boolean {
  const digits = rawJSON.replace(/e.*/i, '').replaceAll(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '')
  const double = Number(rawJSON)
  return digits.length <= SAFE_DIGITS && Number.isFinite(double) && (double !== 0 || digits === '')
}

/** JSON of a request. A bigint stands there with its digits, and a NumberLiteral as its own. */
export function writeJson(value: unknown): string {
  const mark = `${Math.random()}${Math.random()}:`
  let isMarked = false
  const text = JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'bigint') return inner
    isMarked = true
    return mark + String(inner)
  })
  return isMarked ? text.replaceAll(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1') : text
}
