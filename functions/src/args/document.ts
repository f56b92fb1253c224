import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import { isSchema, type Schema } from './keywords.ts'
import { readNode, type Node } from './node.ts'

/** A schema and everything reachable from `root` within the same document. */
export interface SchemaDocument {
  root: Schema
  nodes: Map<JsonObject, Node>
  /** The target of each node's `$ref`. */
  targets: Map<Node, Schema>
}

/** Number of schemas and other things that code is generated for, about 0.2 ms each. */
const SIZE_MAX = 1_000
/** Base URI of a document without an `$id`. The name never resolves (RFC 6761), and nothing looks it up. */
const NOWHERE = 'https://schema.invalid/'

/** Dialects by `$schema`. `refAlone`: keywords next to `$ref` are ignored. */
const DIALECTS: Record<string, { refAlone: boolean }> = {
  'json-schema.org/draft/2020-12/schema': { refAlone: false },
  'json-schema.org/draft/2019-09/schema': { refAlone: false },
  'json-schema.org/draft-07/schema': { refAlone: true },
  'json-schema.org/draft-06/schema': { refAlone: true },
}

const UNKNOWN_DIALECT = '"$schema" names a dialect that is not supported'

/**
 * Reads a schema document. `$ref` is resolved here and nowhere else (Core 2020-12, section 8.2), and only within the
 * document. Returns a text when the document cannot be used, saying why.
 */
export function readDocument(root: Schema): SchemaDocument | string {
  const dialect = dialectOf(root)
  if (!dialect) return UNKNOWN_DIALECT
  const found = indexed(root, dialect.refAlone)
  const document: SchemaDocument = { root, nodes: new Map(), targets: new Map() }
  let problem = found.problem
  let size = 0

  function reach(schema: Schema): void {
    if (typeof schema === 'boolean' || problem !== undefined || document.nodes.has(schema)) return
    const node = found.node(schema)
    document.nodes.set(schema, node)
    size += sizeOf(node)
    problem ??= size > SIZE_MAX ? `it has more than ${SIZE_MAX} schemas` : node.problem
    if (!dialectOf(schema)) problem ??= UNKNOWN_DIALECT
    for (const { schemas } of node.applicators) for (const [, inner] of schemas) reach(inner)
    if (node.ref === undefined) return
    const target = found.resolve(schema, node.ref)
    if (target === undefined)
      problem ??= `"$ref" leads to ${JSON.stringify(node.ref.slice(0, 100).toWellFormed())}, which is not within it`
    else {
      document.targets.set(node, target)
      reach(target)
    }
  }
  reach(root)
  return problem ?? document
}

function sizeOf({ assertions, applicators }: Node): number {
  const dependencies = Object.values((assertions['dependentRequired'] as Record<string, string[]> | undefined) ?? {})
  const booleans = applicators.flatMap(({ schemas }) => schemas).filter(([, schema]) => typeof schema === 'boolean')
  return 1 + booleans.length + dependencies.reduce((sum, names) => sum + 1 + names.length, 0)
}

function dialectOf(root: Schema): { refAlone: boolean } | undefined {
  const named = typeof root === 'boolean' ? undefined : root['$schema']
  if (named === undefined) return { refAlone: false }
  const key = typeof named === 'string' ? named.replace(/^https?:\/\//, '').replace(/#$/, '') : ''
  return Object.hasOwn(DIALECTS, key) ? DIALECTS[key] : undefined
}

/** Indexes what URIs mean within a document: resources by `$id`, anchors, and the base URI of each schema. */
function indexed(root: Schema, refAlone: boolean) {
  const nodes = new Map<JsonObject, Node>()
  const bases = new Map<JsonObject, string>()
  const resources = new Map<string, JsonObject>()
  const anchors = new Map<string, JsonObject>()
  let problem: string | undefined

  function node(schema: JsonObject): Node {
    let read = nodes.get(schema)
    if (!read) nodes.set(schema, (read = readNode(schema, refAlone)))
    return read
  }

  function define(map: Map<string, JsonObject>, uri: string, schema: JsonObject): void {
    if (map.has(uri)) problem ??= 'two schemas in it have the same "$id" or "$anchor"'
    map.set(uri, schema)
  }

  function baseAt(schema: JsonObject, outer: string): string {
    const id = schema['$id']
    if (id === undefined || (refAlone && schema['$ref'] !== undefined)) return outer
    const url = typeof id === 'string' && URL.canParse(id, outer) ? new URL(id, outer) : undefined
    if (!url) problem ??= '"$id" is no URI'
    if (!url || url.hash.length > 1) {
      // Drafts 6 and 7 name anchors like this.
      if (url?.href.startsWith(outer)) define(anchors, url.href, schema)
      return outer
    }
    url.hash = ''
    if (url.href !== outer) define(resources, url.href, schema)
    return url.href
  }

  function visit(schema: Schema, outer: string): void {
    if (typeof schema === 'boolean' || bases.has(schema)) return
    const base = baseAt(schema, outer)
    bases.set(schema, base)
    const anchor = schema['$anchor']
    if (typeof anchor === 'string') define(anchors, `${base}#${anchor}`, schema)
    const { applicators, definitions } = node(schema)
    for (const inner of definitions) visit(inner, base)
    for (const { schemas } of applicators) for (const [, inner] of schemas) visit(inner, base)
  }

  function resolve(from: JsonObject, ref: string): Schema | undefined {
    const base = bases.get(from)!
    if (!URL.canParse(ref, base)) return undefined
    const url = new URL(ref, base)
    const { hash } = url
    url.hash = ''
    const resource = resources.get(url.href)
    const fragment = decoded(hash.slice(1))
    if (!resource || fragment === undefined) return undefined
    const target =
      fragment === ''
        ? resource
        : fragment.startsWith('/')
          ? pointedAt(resource, fragment)
          : anchors.get(`${url.href}#${fragment}`)
    if (!isSchema(target)) return undefined
    // The target may be in a place that holds no schemas, which the first visit skipped.
    visit(target, url.href)
    return target
  }

  if (typeof root !== 'boolean') {
    resources.set(NOWHERE, root)
    visit(root, NOWHERE)
  }
  return { node, resolve, problem }
}

/** A JSON pointer (RFC 6901). */
function pointedAt(root: JsonObject, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = root
  for (const token of pointer.slice(1).split('/')) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~')
    if (!isObject(value) && !Array.isArray(value)) return undefined
    value = Object.hasOwn(value, key) ? (value as JsonObject)[key] : undefined
  }
  return value
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
