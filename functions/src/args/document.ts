import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import { isSchema, type Schema } from './keywords.ts'
import { dialectOf, type Dialect } from './dialects.ts'
import { placeIn, readNode, type Node } from './node.ts'
import type { Note } from './note.ts'

/** A schema and everything reachable from `root` within the same document. */
export interface SchemaDocument {
  root: Schema
  nodes: Map<JsonObject, Node>
  /** The target of each node's `$ref`. */
  targets: Map<Node, Schema>
  /** Where each node is, as a JSON pointer. */
  places: Map<Node, string>
  /** What is not understood of dialects and names; the rest is noted in the nodes. */
  notes: Note[]
}

/** Number of schemas and other things that code is generated for, about 0.2 ms each. */
const SIZE_MAX = 1_000
/** Base URI of a document without an `$id`. The name never resolves (RFC 6761), and nothing looks it up. */
const NOWHERE = 'https://schema.invalid/'

/**
 * Reads a schema document. `$ref` is resolved here and nowhere else (Core 2020-12, section 8.2), and only within the
 * document. What is not understood is noted and left out. Returns a text when nothing of the document can be used, saying why.
 */
export function readDocument(root: Schema): SchemaDocument | string {
  const found = indexed(root, dialectOf(root))
  const document: SchemaDocument = { root, nodes: new Map(), targets: new Map(), places: new Map(), notes: [] }
  let size = 0

  function reach(schema: Schema, at: string): void {
    if (typeof schema === 'boolean' || size > SIZE_MAX || document.nodes.has(schema)) return
    const node = found.node(schema)
    document.nodes.set(schema, node)
    document.places.set(node, at)
    size += sizeOf(node)
    if (dialectOf(schema).foreign)
      document.notes.push({ pointer: `${at}/$schema`, why: '"$schema" names a dialect that is not supported' })
    for (const part of node.applicators) for (const [key, inner] of part.schemas) reach(inner, at + placeIn(part, key))
    if (node.ref !== undefined) follow(schema, node, node.ref)
  }

  function follow(schema: JsonObject, node: Node, ref: string): void {
    const target = found.resolve(schema, ref)
    if (target === undefined) {
      const shown = JSON.stringify(ref.slice(0, 100).toWellFormed())
      node.notes.push({ pointer: '/$ref', why: `"$ref" leads to ${shown}, which is not within it` })
    } else {
      document.targets.set(node, target.schema)
      reach(target.schema, target.at)
    }
  }

  reach(root, '')
  document.notes.push(...found.notes)
  return size > SIZE_MAX ? `it has more than ${SIZE_MAX} schemas` : document
}

function sizeOf({ assertions, applicators }: Node): number {
  const dependencies = Object.values((assertions['dependentRequired'] as Record<string, string[]> | undefined) ?? {})
  const booleans = applicators.flatMap(({ schemas }) => schemas).filter(([, schema]) => typeof schema === 'boolean')
  return 1 + booleans.length + dependencies.reduce((sum, names) => sum + 1 + names.length, 0)
}

/** A schema, and where it is in the document. */
interface Place {
  schema: JsonObject
  at: string
}

/** Indexes what URIs mean within a document: resources by `$id`, anchors, and the base URI of each schema. */
function indexed(root: Schema, dialect: Dialect) {
  const nodes = new Map<JsonObject, Node>()
  const bases = new Map<JsonObject, string>()
  /** Null for a URI that several schemas have: nothing can be meant by it. */
  const resources = new Map<string, Place | null>()
  const anchors = new Map<string, Place | null>()
  const notes: Note[] = []

  function node(schema: JsonObject): Node {
    let read = nodes.get(schema)
    if (!read) nodes.set(schema, (read = readNode(schema, dialect)))
    return read
  }

  function define(map: Map<string, Place | null>, uri: string, place: Place): void {
    const isTaken = map.has(uri)
    if (isTaken) notes.push({ pointer: place.at, why: 'two schemas in it have the same "$id" or "$anchor"' })
    map.set(uri, isTaken ? null : place)
  }

  function baseAt(place: Place, outer: string): string {
    const { schema, at } = place
    const id = schema['$id']
    if (id === undefined || (dialect.refAlone && schema['$ref'] !== undefined)) return outer
    const url = typeof id === 'string' && URL.canParse(id, outer) ? new URL(id, outer) : undefined
    if (!url) notes.push({ pointer: `${at}/$id`, why: '"$id" is no URI' })
    if (!url || url.hash.length > 1) {
      // Drafts 6 and 7 name anchors like this.
      if (url?.href.startsWith(outer)) define(anchors, url.href, place)
      return outer
    }
    url.hash = ''
    if (url.href !== outer) define(resources, url.href, place)
    return url.href
  }

  function visit(schema: Schema, at: string, outer: string): void {
    if (typeof schema === 'boolean' || bases.has(schema)) return
    const base = baseAt({ schema, at }, outer)
    bases.set(schema, base)
    const anchor = schema['$anchor']
    if (typeof anchor === 'string') define(anchors, `${base}#${anchor}`, { schema, at })
    const { applicators, definitions } = node(schema)
    for (const [pointer, inner] of definitions) visit(inner, at + pointer, base)
    for (const part of applicators) for (const [key, inner] of part.schemas) visit(inner, at + placeIn(part, key), base)
  }

  function resolve(from: JsonObject, ref: string): { schema: Schema; at: string } | undefined {
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
          ? { schema: pointedAt(resource.schema, fragment), at: resource.at + fragment }
          : anchors.get(`${url.href}#${fragment}`)
    const { schema, at } = target ?? {}
    if (!isSchema(schema)) return undefined
    // The target may be in a place that holds no schemas, which the first visit skipped.
    visit(schema, at!, url.href)
    return { schema, at: at! }
  }

  if (typeof root !== 'boolean') {
    resources.set(NOWHERE, { schema: root, at: '' })
    visit(root, '', NOWHERE)
  }
  return { node, resolve, notes }
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
