import { decimalOf } from '@vitrine/core/json/decimal'
import { isNumberLiteral, type NumberLiteral } from '@vitrine/core/json/number-literal'
import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'

/**
 * The keywords of JSON Schema 2020-12 that are checked. Annotations, `format` and unknown keywords are ignored (Core,
 * section 4.3.1).
 */

export type Schema = boolean | JsonObject

export interface Applicator {
  holds: 'one' | 'list' | 'map'
  /** Applies to the same value as the schema that contains it, not to a part of that value. */
  inPlace: boolean
}

const part = (holds: Applicator['holds']): Applicator => ({ holds, inPlace: false })
const same = (holds: Applicator['holds']): Applicator => ({ holds, inPlace: true })

export const APPLICATORS: Record<string, Applicator> = {
  allOf: same('list'),
  anyOf: same('list'),
  oneOf: same('list'),
  not: same('one'),
  if: same('one'),
  then: same('one'),
  else: same('one'),
  dependentSchemas: same('map'),
  prefixItems: part('list'),
  items: part('one'),
  contains: part('one'),
  unevaluatedItems: part('one'),
  properties: part('map'),
  patternProperties: part('map'),
  additionalProperties: part('one'),
  propertyNames: part('one'),
  unevaluatedProperties: part('one'),
}

/** Keywords that hold schemas which apply only where a reference leads to them. */
export const DEFINITIONS = ['$defs', 'definitions']

const TYPES = new Set<JsonValue>(['string', 'number', 'integer', 'boolean', 'null', 'object', 'array'])

/** Longer ones would take too long to divide by. */
const DIGITS_MAX = 400
const isNumber = (value: JsonValue): value is number | NumberLiteral =>
  isNumberLiteral(value) ? value.rawJSON.length <= DIGITS_MAX : typeof value === 'number' && Number.isFinite(value)
const isPositive = (number: number | NumberLiteral) => decimalOf(number).digits !== '' && !decimalOf(number).negative
const isCount = (value: JsonValue) => Number.isSafeInteger(value) && (value as number) >= 0
const isNames = (value: JsonValue) => Array.isArray(value) && value.every((name) => typeof name === 'string')
const isTypes = (value: JsonValue) =>
  TYPES.has(value) ||
  (Array.isArray(value) &&
    value.length > 0 &&
    value.every((type) => TYPES.has(type)) &&
    new Set(value).size === value.length)

/** Keywords that contain no schemas, with the check of their values. */
export const ASSERTIONS: Record<string, (value: JsonValue) => boolean> = {
  type: isTypes,
  enum: (value) => Array.isArray(value),
  const: () => true,
  multipleOf: (value) => isNumber(value) && isPositive(value),
  maximum: isNumber,
  exclusiveMaximum: isNumber,
  minimum: isNumber,
  exclusiveMinimum: isNumber,
  maxLength: isCount,
  minLength: isCount,
  pattern: (value) => typeof value === 'string',
  maxItems: isCount,
  minItems: isCount,
  uniqueItems: (value) => typeof value === 'boolean',
  maxContains: isCount,
  minContains: isCount,
  maxProperties: isCount,
  minProperties: isCount,
  required: isNames,
  dependentRequired: (value) => isObject(value) && Object.values(value).every(isNames),
}

export function isSchema(value: JsonValue | undefined): value is Schema {
  return typeof value === 'boolean' || isObject(value)
}
