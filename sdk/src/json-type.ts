/** The types that JSON Schema tells apart. */
const HAS = {
  string: (value: unknown) => typeof value === 'string',
  number: (value: unknown) => Number.isFinite(value),
  integer: (value: unknown) => Number.isSafeInteger(value),
  boolean: (value: unknown) => typeof value === 'boolean',
  null: (value: unknown) => value === null,
  array: (value: unknown) => Array.isArray(value),
  object: isPlainObject,
}

export type JsonType = keyof typeof HAS

/** The type that a value has if these are said of it (sdk/src/tables.ts), so that the type need not be said. */
const IMPLIED = {
  fields: 'object',
  values: 'object',
  items: 'array',
  pattern: 'string',
  minLength: 'string',
  maxLength: 'string',
  minimum: 'integer',
} as const

export function impliedType(part: object): JsonType | undefined {
  return Object.entries(IMPLIED).find(([keyword]) => keyword in part)?.[1]
}

export function hasType(value: unknown, type: JsonType): boolean {
  return HAS[type](value)
}

/** Of what else an object may be, such as a Date, JSON keeps nothing. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
