import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import { APPLICATORS, ASSERTIONS, DEFINITIONS, isSchema, type Applicator, type Schema } from './keywords.ts'

/** One schema object with its own keywords; those of older drafts are translated to 2020-12. */
export interface Node {
  assertions: JsonObject
  applicators: Part[]
  definitions: Schema[]
  ref: string | undefined
  /** Why it cannot be used; undefined if it can. */
  problem: string | undefined
}

export interface Part extends Applicator {
  keyword: string
  /** Keyed by index for a list and by name for a map; a single schema has the key ''. */
  schemas: [key: string, schema: Schema][]
}

/**
 * References whose target depends on the path of the check. Schemas of arguments don't use them, so they are refused.
 */
const DYNAMIC = ['$dynamicRef', '$recursiveRef']

/**
 * Reads one schema object, not the schemas in it. `refAlone`: keywords next to `$ref` are ignored (before draft
 * 2019-09).
 */
export function readNode(source: JsonObject, refAlone: boolean): Node {
  const schema = modern(source)
  const node: Node = { assertions: {}, applicators: [], definitions: [], ref: undefined, problem: undefined }
  const ref = schema['$ref']
  if (ref !== undefined && typeof ref !== 'string') node.problem = '"$ref" is no text'
  else node.ref = ref
  for (const keyword of DEFINITIONS)
    if (isObject(schema[keyword])) node.definitions.push(...Object.values(schema[keyword]).filter(isSchema))
  if (refAlone && ref !== undefined) return node
  for (const keyword of DYNAMIC) if (schema[keyword] !== undefined) node.problem ??= `"${keyword}" is not supported`
  for (const [keyword, value] of Object.entries(schema)) {
    if (Object.hasOwn(ASSERTIONS, keyword)) {
      if (ASSERTIONS[keyword]!(value))
        node.assertions[keyword] = isObject(value) && keyword !== 'const' ? withoutProto(value) : value
      else node.problem ??= `"${keyword}" has a value that it cannot have`
    } else if (Object.hasOwn(APPLICATORS, keyword)) {
      const applicator = APPLICATORS[keyword]!
      const schemas = schemasOf(value, applicator)
      if (schemas) node.applicators.push({ keyword, ...applicator, schemas })
      else node.problem ??= `"${keyword}" has a value that it cannot have`
    }
  }
  return node
}

function schemasOf(value: JsonValue, { holds }: Applicator): Part['schemas'] | undefined {
  if (holds === 'one') return isSchema(value) ? [['', value]] : undefined
  if (holds === 'list' ? !Array.isArray(value) : !isObject(value)) return undefined
  const schemas = Object.entries(value as JsonObject).filter(([key]) => key !== PROTO)
  return schemas.every((entry): entry is [string, Schema] => isSchema(entry[1])) ? schemas : undefined
}

/** Arguments never have this key, and generated code must not meet it. */
const PROTO = '__proto__'

function withoutProto(map: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).filter(([key]) => key !== PROTO))
}

/**
 * Translates the keywords of drafts 6 and 7. Servers mix the drafts, so both spellings are accepted whatever `$schema`
 * says.
 */
function modern(source: JsonObject): JsonObject {
  const { items, additionalItems, dependencies, ...schema } = source
  if (Array.isArray(items)) {
    schema['prefixItems'] = items
    if (additionalItems !== undefined) schema['items'] = additionalItems
  } else if (items !== undefined) schema['items'] = items
  if (isObject(dependencies)) {
    const all = Object.entries(dependencies)
    schema['dependentRequired'] = {
      ...(schema['dependentRequired'] as JsonObject),
      ...Object.fromEntries(all.filter(([, value]) => Array.isArray(value))),
    }
    schema['dependentSchemas'] = {
      ...(schema['dependentSchemas'] as JsonObject),
      ...Object.fromEntries(all.filter(([, value]) => !Array.isArray(value))),
    }
  }
  return schema
}
