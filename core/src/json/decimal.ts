import { canonicalText } from './jcs.ts'
import { mapScalars } from './map-scalars.ts'
import { isNumberLiteral, literalOf, numberOf, type NumberLiteral } from './number-literal.ts'
import type { JsonValue } from './value.ts'

/** Numbers of JSON as decimals, exact at any length, in time proportional to their digits whatever the exponent is. */

/** `±0.digits × 10^point`. The digits begin and end with another than 0; zero has none. */
export interface Decimal {
  negative: boolean
  digits: string
  point: bigint
}

const LITERAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

export function decimalOf(number: number | NumberLiteral): Decimal {
  const [, sign, whole = '', fraction = '', exponent = '0'] = LITERAL.exec(literalOf(number))!
  const all = whole + fraction
  const leading = countOf(all, 0, 1)
  if (leading === all.length) return { negative: false, digits: '', point: 0n }
  return {
    negative: sign === '-',
    digits: all.slice(leading, all.length - countOf(all, all.length - 1, -1)),
    point: BigInt(whole.length - leading) + BigInt(exponent),
  }
}

/** How many zeros there are from `start` on in a direction. A regular expression would look at some of them many times. */
function countOf(digits: string, start: number, step: 1 | -1): number {
  let at = start
  while (digits[at] === '0') at += step
  return Math.abs(at - start)
}

/** Negative, zero or positive as `a` is less than `b`, equal to it or greater. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.negative !== b.negative) return a.negative ? -1 : 1
  return a.negative ? compareSizes(b, a) : compareSizes(a, b)
}

function compareSizes(a: Decimal, b: Decimal): number {
  if (a.digits === '' || b.digits === '') return a.digits.length - b.digits.length
  if (a.point !== b.point) return a.point < b.point ? -1 : 1
  return a.digits === b.digits ? 0 : a.digits < b.digits ? -1 : 1
}

export function isInteger({ digits, point }: Decimal): boolean {
  return BigInt(digits.length) <= point
}

/** Whether a number is a whole multiple of another, which is not 0. */
export function isMultipleOf(number: Decimal, divisor: Decimal): boolean {
  if (number.digits === '') return true
  // As integers times powers of ten; neither integer ends in 0.
  const power = number.point - BigInt(number.digits.length) - (divisor.point - BigInt(divisor.digits.length))
  if (power < 0n) return false
  const modulus = BigInt(divisor.digits)
  return (remainder(number.digits, modulus) * powerOfTen(power, modulus)) % modulus === 0n
}

/** Digits that are taken at a time. */
const CHUNK = 15

function remainder(digits: string, modulus: bigint): bigint {
  let rest = 0n
  for (let at = 0; at < digits.length; at += CHUNK) {
    const chunk = digits.slice(at, at + CHUNK)
    rest = (rest * 10n ** BigInt(chunk.length) + BigInt(chunk)) % modulus
  }
  return rest
}

/** `10^exponent` modulo `modulus`, by the exponent's own decimal digits. */
function powerOfTen(exponent: bigint, modulus: bigint): bigint {
  let power = 1n
  for (const digit of exponent.toString()) power = (power ** 10n * 10n ** BigInt(digit)) % modulus
  return power
}

/** One spelling for all numbers that are equal, such as `1.0` and `1`: the double, if one holds exactly this decimal. */
export function simplest(number: number | NumberLiteral): number | NumberLiteral {
  if (typeof number === 'number') return number
  const decimal = decimalOf(number)
  const double = Number(number.rawJSON)
  if (Number.isFinite(double) && compareDecimals(decimalOf(double), decimal) === 0) return double + 0
  const { negative, digits, point } = decimal
  return numberOf(`${negative ? '-' : ''}${digits}e${point - BigInt(digits.length)}`)
}

/**
 * A canonical text that is the same for values whose numbers are equal, however they are spelled. It is JCS where
 * doubles hold all of them. Throws TypeError as `canonicalText` does.
 */
export function comparableText(value: JsonValue): string {
  return canonicalText(mapScalars(value, (scalar) => (isNumberLiteral(scalar) ? simplest(scalar) : scalar)))
}
