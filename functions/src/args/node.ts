import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import { APPLICATORS, ASSERTIONS, DEFINITIONS, isSchema, type Applicator, type Schema } from './keywords.ts'

/** One schema object, its own keywords read and those of older drafts put into the words of 2020-12. */
export interface Node {
  assertions: JsonObject
  applicators: Part[]
  definitions: Schema[]
  ref: string | undefined
  /** Why it cannot be used; undefined when it can. */
  problem: string | undefined
}

export interface Part extends Applicator {
  keyword: string
  /** By place in a list, by name in a map; one schema has the key ''. */
  schemas: [key: string, schema: Schema][]
}

/** References whose target depends on where a check comes from. Nobody uses them for arguments, so they are not followed at all. */
const DYNAMIC = ['$dynamicRef', '$recursiveRef']

/** Reads one schema object, without those in it. `refAlone`: what stands beside `$ref` does not count (before draft 2019-09). */
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

/** No arguments have a key of that name, and code that is made from a schema should not come across it. */
const PROTO = '__proto__'

function withoutProto(map: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).filter(([key]) => key !== PROTO))
}

/** Drafts 6 and 7 called some things otherwise. Servers mix the drafts, so both ways are understood whatever `$schema` says. */
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
