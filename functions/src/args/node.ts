import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import type { Dialect } from './dialects.ts'
import { APPLICATORS, ASSERTIONS, DEFINITIONS, isSchema, type Applicator, type Schema } from './keywords.ts'
import type { Note } from './note.ts'
import { pointerOf } from './pointer.ts'

/** One schema object with its own keywords; those of older drafts are translated to 2020-12. */
export interface Node {
  assertions: JsonObject
  applicators: Part[]
  definitions: [pointer: string, schema: Schema][]
  ref: string | undefined
  /** OpenAPI 3.0: null fits as well, whatever else the schema says. */
  nullable: boolean
  /** What in it is not understood, and so not checked. */
  notes: Note[]
}

export interface Part extends Applicator {
  keyword: string
  /** The keyword as it is written, which older drafts call otherwise. */
  written: string
  /** Keyed by index for a list and by name for a map; a single schema has the key ''. */
  schemas: [key: string, schema: Schema][]
}

/** References whose target depends on the path of the check. Schemas of arguments don't use them, so they are not followed. */
const DYNAMIC = ['$dynamicRef', '$recursiveRef']

/** What says nothing any more when the keywords beside it that it goes by were not understood. */
const BESIDE: Record<string, string[]> = {
  additionalProperties: ['properties', 'patternProperties'],
  items: ['prefixItems'],
  then: ['if'],
  else: ['if'],
}

/**
 * Reads one schema object, not the schemas in it. A keyword whose value it cannot have is noted and left out; a schema in a list or map
 * that is none counts as true.
 */
export function readNode(source: JsonObject, { refAlone, flags }: Dialect): Node {
  const { schema, written } = modern(flags ? withBounds(source) : source)
  const ref = schema['$ref']
  const nullable = schema['nullable'] === true && !(refAlone && ref !== undefined)
  const node: Node = { assertions: {}, applicators: [], definitions: [], ref: undefined, nullable, notes: [] }
  if (ref !== undefined && typeof ref !== 'string') node.notes.push({ pointer: '/$ref', why: '"$ref" is no text' })
  else node.ref = ref
  for (const keyword of DEFINITIONS)
    if (isObject(schema[keyword]))
      for (const [name, inner] of Object.entries(schema[keyword]))
        if (isSchema(inner)) node.definitions.push([pointerOf(keyword, name), inner])
  if (refAlone && ref !== undefined) return node
  for (const keyword of DYNAMIC)
    if (schema[keyword] !== undefined) node.notes.push({ pointer: `/${keyword}`, why: `"${keyword}" is not supported` })

  const lost = new Set<string>()
  const impossible = (keyword: string, ...keys: string[]): void => {
    const name = written[keyword] ?? keyword
    node.notes.push({ pointer: pointerOf(name, ...keys), why: `"${name}" has a value that it cannot have` })
  }
  for (const [keyword, value] of Object.entries(schema)) {
    if (Object.hasOwn(ASSERTIONS, keyword)) {
      if (ASSERTIONS[keyword]!(value))
        node.assertions[keyword] = isObject(value) && keyword !== 'const' ? withoutProto(value) : value
      else impossible(keyword)
    } else if (Object.hasOwn(APPLICATORS, keyword)) {
      const applicator = APPLICATORS[keyword]!
      const entries = entriesOf(value, applicator)
      if (!entries) {
        lost.add(keyword)
        impossible(keyword)
        continue
      }
      const schemas = entries.map(([key, inner]): [string, Schema] => {
        if (isSchema(inner)) return [key, inner]
        impossible(keyword, key)
        return [key, true]
      })
      node.applicators.push({ keyword, written: written[keyword] ?? keyword, ...applicator, schemas })
    }
  }
  node.applicators = node.applicators.filter(({ keyword }) => !BESIDE[keyword]?.some((other) => lost.has(other)))
  return node
}

function entriesOf(value: JsonValue, { holds }: Applicator): [key: string, value: JsonValue][] | undefined {
  if (holds === 'one') return isSchema(value) ? [['', value]] : undefined
  if (holds === 'list' ? !Array.isArray(value) : !isObject(value)) return undefined
  return Object.entries(value as JsonObject).filter(([key]) => key !== PROTO)
}

/** Where a part has its schema of this key, as it is written. */
export function placeIn({ holds, written }: Part, key: string): string {
  return holds === 'one' ? pointerOf(written) : pointerOf(written, key)
}

/** Arguments never have this key, and generated code must not meet it. */
const PROTO = '__proto__'

function withoutProto(map: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).filter(([key]) => key !== PROTO))
}

/** Draft 4: `exclusiveMinimum: true` says of `minimum` that it is no value itself. */
function withBounds(source: JsonObject): JsonObject {
  const schema = { ...source }
  for (const [bound, flag] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    if (typeof schema[flag] !== 'boolean') continue
    if (schema[flag] && schema[bound] !== undefined) {
      schema[flag] = schema[bound]
      delete schema[bound]
    } else delete schema[flag]
  }
  return schema
}

/**
 * Translates the keywords of drafts 6 and 7. Servers mix the drafts, so both spellings are accepted whatever `$schema`
 * says. `written`: what a translated keyword was.
 */
function modern(source: JsonObject): { schema: JsonObject; written: Record<string, string> } {
  const { items, additionalItems, dependencies, ...schema } = source
  const written: Record<string, string> = {}
  if (Array.isArray(items)) {
    schema['prefixItems'] = items
    written['prefixItems'] = 'items'
    if (additionalItems !== undefined) {
      schema['items'] = additionalItems
      written['items'] = 'additionalItems'
    }
  } else if (items !== undefined) schema['items'] = items
  if (isObject(dependencies)) {
    const all = Object.entries(dependencies)
    for (const [keyword, holds] of [
      ['dependentRequired', true],
      ['dependentSchemas', false],
    ] as const) {
      if (schema[keyword] === undefined) written[keyword] = 'dependencies'
      schema[keyword] = {
        ...(schema[keyword] as JsonObject),
        ...Object.fromEntries(all.filter(([, value]) => Array.isArray(value) === holds)),
      }
    }
  }
  return { schema, written }
}
