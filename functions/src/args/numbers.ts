import type { FuncKeywordDefinition, str as ajvStr } from 'ajv'
import {
  comparableText,
  compareDecimals,
  decimalOf,
  isInteger,
  isMultipleOf,
  simplest,
  type Decimal,
} from '@vitrine/core/json/decimal'
import { mapScalars } from '@vitrine/core/json/map-scalars'
import { isNumberLiteral, literalOf, numberOf, type NumberLiteral } from '@vitrine/core/json/number-literal'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import type { Meter } from './meter.ts'

/**
 * The keywords that look at numbers. They compare decimals, as JSON Schema means it: what the arguments say, not the
 * double next to it.
 */

/** A number as the generated code sees it. A literal is a symbol that it describes: no keyword of Ajv's own looks at those. */
type Seen = number | symbol

/** Stands for `type` where that has to tell numbers apart, which Ajv does by itself and for doubles alone. */
export const NUMERIC_TYPE = 'numericType'

/** Arguments as the generated code sees them. */
export function asSeen(args: JsonObject): unknown {
  return mapScalars(args, (scalar) =>
    isNumberLiteral(scalar) ? (Symbol(scalar.rawJSON) as unknown as JsonValue) : scalar,
  )
}

/** The same text for equal values (Core 2020-12, section 4.2.2). Takes time proportional to the value. */
export function keyOf(value: JsonValue): string {
  return comparableText(mapScalars(value, (scalar) => (isSeen(scalar) ? numberIn(scalar) : scalar)))
}

/** A schema in which a literal is a double where that is equal: `"maxLength": 3.0`. */
export function withEqualDoubles(schema: JsonValue): JsonValue {
  return mapScalars(schema, (scalar) => {
    const double = isNumberLiteral(scalar) ? simplest(scalar) : scalar
    return typeof double === 'number' ? double : scalar
  })
}

/** Whether `type` names a type of numbers, among others or alone. */
export function isNumeric(type: JsonValue | undefined): boolean {
  return [type].flat().some((name) => name === 'number' || name === 'integer')
}

function isSeen(value: unknown): value is Seen {
  return typeof value === 'number' || typeof value === 'symbol'
}

function numberIn(value: Seen | NumberLiteral): number | NumberLiteral {
  return typeof value === 'symbol' ? numberOf(value.description!) : value
}

const TYPES: Record<string, (value: unknown) => boolean> = {
  number: isSeen,
  integer: (value) =>
    typeof value === 'number' ? Number.isInteger(value) : isSeen(value) && isInteger(decimalOf(numberIn(value))),
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  array: (value) => Array.isArray(value),
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

/** Whether a number passes, by how it compares with the limit. */
const LIMITS: Record<string, { text: string; holds: (order: number) => boolean }> = {
  maximum: { text: '<=', holds: (order) => order <= 0 },
  exclusiveMaximum: { text: '<', holds: (order) => order < 0 },
  minimum: { text: '>=', holds: (order) => order >= 0 },
  exclusiveMinimum: { text: '>', holds: (order) => order > 0 },
}

/** The definitions for Ajv. Its own of these names have to be removed before. */
export function numericKeywords(meter: Meter, str: typeof ajvStr): FuncKeywordDefinition[] {
  const decimalIn = (value: Seen): Decimal => {
    if (typeof value === 'symbol') meter.spend(value.description!.length)
    return decimalOf(numberIn(value))
  }
  const limits = Object.entries(LIMITS).map(([keyword, { text, holds }]): FuncKeywordDefinition => ({
    keyword,
    compile: (limit: number | NumberLiteral) => {
      const bound = decimalOf(limit)
      return (value: unknown) => {
        if (!isSeen(value)) return true
        const areDoubles = typeof value === 'number' && typeof limit === 'number'
        return holds(areDoubles ? value - limit : compareDecimals(decimalIn(value), bound))
      }
    },
    error: { message: ({ schema }) => str`must be ${text} ${literalOf(schema as number)}` },
  }))
  return [
    {
      keyword: NUMERIC_TYPE,
      before: 'not',
      compile: (types: string | string[]) => {
        const tests = [types].flat().map((type) => TYPES[type]!)
        return (value: unknown) => tests.some((test) => test(value))
      },
      error: { message: ({ schema }) => str`must be ${String(schema)}` },
    },
    ...limits,
    {
      keyword: 'multipleOf',
      compile: (divisor: number | NumberLiteral) => {
        const unit = decimalOf(divisor)
        return (value: unknown) => !isSeen(value) || isMultipleOf(decimalIn(value), unit)
      },
      error: { message: ({ schema }) => str`must be multiple of ${literalOf(schema as number)}` },
    },
  ]
}
