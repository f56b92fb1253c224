import { CALL_NAME, COMMAND, ID, TOOL_NAME } from '@vitrine/core/names'
import type { JsonSchema } from '@vitrine/core/api/json-schema'

/** JSON Schemas of the contract as people read them: rows of a table, and types in the notation of TypeScript. */

/** One field of a request or answer. `name` is its way from the top: `servers[].slug`. */
export interface Row {
  name: string
  type: string
  optional: boolean
  text: string
}

type Schemas = Readonly<Record<string, JsonSchema>>

/** Kinds of text that docs/api.md explains at its start. */
const TEXTS: Readonly<Record<string, string>> = {
  [ID.source]: 'id',
  [TOOL_NAME.source]: 'tool name',
  [CALL_NAME.source]: 'call name',
  [COMMAND.source]: 'command',
  '^[0-9a-f]{64}$': 'SHA-256',
  '^\\d{4}-(0[1-9]|1[0-2])$': 'month',
}

/** Objects inside are expanded into rows of their own; what has an id of its own is named, and unions are written out. */
export function rowsOf(schema: JsonSchema, defs: Schemas = schema.$defs ?? {}, above = ''): Row[] {
  const required = new Set(schema.required)
  return Object.entries(schema.properties ?? {}).flatMap(([key, field]) => {
    const property = field as JsonSchema
    const name = `${above}${key}`
    const row = { name, type: typeOf(property), optional: !required.has(key), text: describe(property) }
    const [inner, suffix] = objectIn(property, '')
    return [row, ...(inner ? rowsOf(inner, defs, `${name}${suffix}.`) : [])]
  })
}

/** The object that a field holds, or that its items are, also where it may be null. */
function objectIn(schema: JsonSchema, suffix: string): [JsonSchema | undefined, string] {
  const one = nullable(schema)
  if (one) return objectIn(one, suffix)
  if (schema.type === 'array') return objectIn(schema.items as JsonSchema, `${suffix}[]`)
  return [schema.properties ? schema : undefined, suffix]
}

/** Of `T | null` the T. */
function nullable({ anyOf }: JsonSchema): JsonSchema | undefined {
  const [first, second, ...more] = anyOf ?? []
  return first && second?.type === 'null' && more.length === 0 ? first : undefined
}

/** In the notation of TypeScript; an object is `object` here, since its fields have rows, unless `whole` asks for them. */
export function typeOf(schema: JsonSchema, whole = false): string {
  if (schema.$ref !== undefined) return schema.$ref.replace('#/$defs/', '')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  const union = schema.anyOf ?? schema.oneOf
  if (union) {
    const one = nullable(schema)
    return one ? `${typeOf(one, whole)} | null` : union.map((member) => typeOf(member, true)).join(' | ')
  }
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type }, whole)).join(' | ')
  if (schema.type === 'array') {
    const item = typeOf(schema.items as JsonSchema, whole)
    return item.includes(' | ') ? `(${item})[]` : `${item}[]`
  }
  if (schema.type === 'object') return objectType(schema, whole)
  if (schema.type === 'string') return textType(schema)
  return schema.type ?? 'any JSON'
}

function objectType(schema: JsonSchema, whole: boolean): string {
  if (typeof schema.additionalProperties === 'object') return `{[name]: ${typeOf(schema.additionalProperties, true)}}`
  if (!schema.properties || !whole) return 'object'
  const required = new Set(schema.required)
  const fields = Object.entries(schema.properties).map(
    ([name, field]) => `${name}${required.has(name) ? '' : '?'}: ${typeOf(field as JsonSchema, true)}`,
  )
  return `{${fields.join(', ')}}`
}

function textType({ format, pattern }: JsonSchema): string {
  if (format === 'date-time') return 'time'
  return (pattern === undefined ? undefined : TEXTS[pattern]) ?? 'string'
}

function describe(schema: JsonSchema): string {
  return [schema.description ?? '', boundsOf(schema), defaultOf(schema)].filter((text) => text !== '').join(' ')
}

function boundsOf(schema: JsonSchema): string {
  const { minimum, maximum, minLength, maxLength, maxItems, pattern } = nullable(schema) ?? schema
  const safe = (value: number | undefined): string =>
    value === undefined || Math.abs(value) === Number.MAX_SAFE_INTEGER ? '' : value.toLocaleString('en')
  // Kinds of text bring their length along.
  const long = pattern !== undefined && pattern in TEXTS ? '' : range(safe(minLength), safe(maxLength), ' characters')
  return [range(safe(minimum), safe(maximum), ''), long, range('', safe(maxItems), ' items')].filter(Boolean).join(' ')
}

function range(from: string, to: string, unit: string): string {
  if (from === '' && to === '') return ''
  if (to === '') return `At least ${from}${unit}.`
  return from === '' || from === '0' ? `At most ${to}${unit}.` : `${from} to ${to}${unit}.`
}

function defaultOf(schema: JsonSchema): string {
  return schema.default === undefined ? '' : `Default: \`${JSON.stringify(schema.default)}\`.`
}

/** Names of the fields alone: `{name, orgId?}`, alternatives beside each other, and of many optional ones `…`. */
export function fieldsOf(schema: JsonSchema): string {
  const union = schema.anyOf ?? schema.oneOf
  if (union) return union.map(fieldsOf).join(' or ')
  const required = new Set(schema.required)
  const names = Object.keys(schema.properties ?? {})
  const optional = names.filter((name) => !required.has(name)).map((name) => `${name}?`)
  const shown = optional.length > OPTIONAL_SHOWN_MAX ? [...optional.slice(0, 2), '…'] : optional
  return `{${[...names.filter((name) => required.has(name)), ...shown].join(', ')}}`
}
const OPTIONAL_SHOWN_MAX = 6
