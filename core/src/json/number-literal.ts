/**
 * JSON numbers that a double does not give back as they came: integers beyond 2^53, `0.1000000000000000055`, `1e400`,
 * and spellings such as `1.0`, `1E5` and `-0`. They are kept as their literal.
 */

/** A number by its literal. It is what `JSON.rawJSON` makes, so that `JSON.stringify` writes the literal again. */
export interface NumberLiteral {
  readonly rawJSON: string
}

interface RawJson {
  rawJSON(text: string): NumberLiteral
  isRawJSON(value: unknown): value is NumberLiteral
}

/** Node 20 and browsers before 2025 have neither function. Only the SDK runs there, and it says so (sdk/src/options.ts). */
const { rawJSON, isRawJSON = (_value): _value is NumberLiteral => false } = JSON as unknown as Partial<RawJson>

/** Whether number literals can be kept here. */
export const KEEPS_LITERALS = rawJSON !== undefined

/** No JSON text can forge one: what makes it one is not a property. */
export const isNumberLiteral: (value: unknown) => value is NumberLiteral = isRawJSON

/** The number of a literal of JSON's grammar: a double if that is printed the same way, otherwise the literal. */
export function numberOf(literal: string): number | NumberLiteral {
  const double = Number(literal)
  return String(double) === literal ? double : rawJSON!(literal)
}

/** The double that is closest; infinite beyond the largest one. */
export function doubleOf(number: number | NumberLiteral): number {
  return typeof number === 'number' ? number : Number(number.rawJSON)
}

/** The digits of a number, as JSON has them. */
export function literalOf(number: number | NumberLiteral): string {
  return typeof number === 'number' ? JSON.stringify(number) : number.rawJSON
}
