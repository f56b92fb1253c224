import { contract } from '@vitrine/core/api/contract'
import type { Operation } from '@vitrine/core/api/operation'
import { jsonSchemaOf, type JsonSchema } from './json-schema.ts'
import { impliedType, type JsonType } from './json-type.ts'

/**
 * What the client has to know of the contract while it runs. From source it is computed on import; a bundle has the JSON instead of this
 * module (sdk/tables-plugin.ts), and so has no zod. Its form is as short as can be read, since every page that loads the SDK loads it.
 */
export interface Tables {
  /** Parts of requests, each once; they name one another by number. */
  parts: Part[]
  operations: Record<string, OperationTable>
}

/** `method` is null where there is code for it; `answer` has the fields without which an answer is of no use. */
export type OperationTable = readonly [method: string | null, request: number, answer: Readonly<Record<string, number>>]

const COPIED = [
  'type',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'exactlyOne',
  'trim',
  'says',
] as const satisfies readonly (keyof JsonSchema)[]

/** A JSON Schema in which other schemas are numbers. */
export interface Part extends Pick<JsonSchema, (typeof COPIED)[number]> {
  /** Of a text or a list. */
  maxLength?: number
  /** Any JSON may be here. */
  json?: true
  /** Of a list. */
  items?: number
  /** Of an object that has no others; names end in `?` where a field may be left out. */
  fields?: Record<string, number>
  /** Of an object whose names are the caller's. */
  values?: number
  anyOf?: number[]
}

/** What core's shapes of any JSON are to a client, by their names. */
const FREE: Record<string, Part> = { JsonValue: { json: true }, JsonObject: { type: 'object', json: true } }

export function tablesOf(operations: Record<string, Operation>): Tables {
  const parts = createParts()
  const tables = Object.entries(operations).map(([path, { method, request, response }]): [string, OperationTable] => {
    const schema = jsonSchemaOf(request, 'input')
    return [path, [method, parts.add(schema, schema.$defs), answerOf(jsonSchemaOf(response, 'output'), parts)]]
  })
  return { operations: Object.fromEntries(tables), parts: parts.all }
}

/** The properties of an object whose names are a closed list and whose values are alike. */
function namedIn({ propertyNames, additionalProperties: values }: JsonSchema): Record<string, JsonSchema> | undefined {
  if (typeof values !== 'object') return undefined
  return propertyNames?.enum && Object.fromEntries(propertyNames.enum.map((name) => [name, values]))
}

type Parts = ReturnType<typeof createParts>

function createParts() {
  const all: Part[] = []
  const numbers = new Map<string, number>()

  function add(schema: JsonSchema, defs: JsonSchema['$defs'] = {}): number {
    const part = partOf(schema, defs)
    const text = JSON.stringify(part)
    const number = numbers.get(text) ?? all.push(part) - 1
    numbers.set(text, number)
    return number
  }

  function partOf(schema: JsonSchema, defs: Record<string, JsonSchema>): Part {
    const name = schema.$ref?.replace('#/$defs/', '')
    if (name !== undefined) return FREE[name] ?? partOf(defs[name]!, defs)
    const { items, maxItems, properties = namedIn(schema), additionalProperties: values, anyOf = schema.oneOf } = schema
    if (schema.properties !== undefined && values !== false) throw new Error('Objects of a request are strict.')
    const { type, ...part }: Part = {
      ...Object.fromEntries(COPIED.filter((key) => schema[key] !== undefined).map((key) => [key, schema[key]])),
      ...(schema.const !== undefined && { enum: [schema.const] }),
      ...(items && { items: add(items, defs) }),
      ...(maxItems !== undefined && { maxLength: maxItems }),
      ...(properties && { fields: fieldsOf(properties, schema.required, defs) }),
      ...(!properties && typeof values === 'object' && { values: add(values, defs) }),
      ...(anyOf && { anyOf: anyOf.map((it) => add(it, defs)) }),
    }
    if (part.maximum === Number.MAX_SAFE_INTEGER) delete part.maximum
    const isSaid = 'enum' in part || type === impliedType(part)
    if (type !== undefined && !isSaid) return { type, ...part }
    return Object.keys(part).length === 0 ? { json: true } : part
  }

  function fieldsOf(properties: Record<string, JsonSchema>, required: string[] = [], defs: Record<string, JsonSchema>) {
    const present = Object.entries(properties).filter(([, schema]) => schema.not === undefined)
    return Object.fromEntries(
      present.map(([name, schema]) => [required.includes(name) ? name : `${name}?`, add(schema, defs)]),
    )
  }

  return { all, add }
}

/** The required fields that have one type. With several forms of an answer, those that all forms have. */
function answerOf(schema: JsonSchema, parts: Parts): Record<string, number> {
  const [first = {}, ...others] = formsOf(schema, schema.$defs)
  const needed = (first.required ?? []).filter((field) => others.every(({ required }) => required?.includes(field)))
  return Object.fromEntries(
    needed.flatMap((field) => {
      const type = typeOf(first.properties?.[field] ?? {}, schema.$defs)
      return type === undefined ? [] : [[field, parts.add({ type })]]
    }),
  )
}

function typeOf(schema: JsonSchema, defs: JsonSchema['$defs']): JsonType | undefined {
  const [type, ...others] = new Set(formsOf(schema, defs).map((form) => form.type))
  return typeof type === 'string' && others.length === 0 ? type : undefined
}

function formsOf(schema: JsonSchema, defs: JsonSchema['$defs'] = {}): JsonSchema[] {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace('#/$defs/', '')
    return formsOf(name === 'JsonObject' ? { type: 'object' } : (defs[name] ?? {}), defs)
  }
  return (schema.anyOf ?? schema.oneOf)?.flatMap((form) => formsOf(form, defs)) ?? [schema]
}

/** Workers speak for themselves (worker/src/control). */
export const clientOperations = Object.fromEntries(
  Object.entries<Operation>(contract).filter(([, { callers }]) => !callers.includes('worker')),
)

export const TABLES: Tables = tablesOf(clientOperations)
