import type { JsonObject } from '@vitrine/core/json/value'
import type { SchemaDocument } from './document.ts'
import { judging } from './doubt.ts'
import type { Schema } from './keywords.ts'
import type { Node, Part } from './node.ts'
import { isNumeric, NUMERIC_TYPE } from './numbers.ts'
import type { Pattern } from './pattern.ts'

/**
 * A document as the compiler gets it: only keywords that were understood, and every reference leads to one of its
 * `$defs`.
 */
export interface Emitted {
  schema: object | boolean
  unevaluated: boolean
}

/**
 * A keyword added to every schema: what looking at a value costs, fixed and per part of the value. compile.ts
 * implements it.
 */
export const SPEND = 'spend'

/** Replaces a name pattern that cannot be searched. It matches every property, so none is refused as additional. */
const ANY_NAME = 'any name'
const ALL: Pattern = { test: () => true, size: 0 }
const GROUP_LENGTH_MAX = 20

/** Patterns that are not in `patterns` are not searched; `doubtful` is what doubt.ts says. */
export function emit(
  { root, nodes, targets }: SchemaDocument,
  patterns: Map<string, Pattern>,
  doubtful: Set<Schema>,
): Emitted {
  const names = new Map<Schema, string>()
  for (const target of targets.values())
    if (typeof target !== 'boolean' && !names.has(target)) names.set(target, `schema ${names.size}`)
  const definitions: Record<string, object | boolean> = {}
  let unevaluated = false

  function anyName(): [string, boolean] {
    patterns.set(ANY_NAME, ALL)
    return [ANY_NAME, true]
  }

  /** A nested schema. If others refer to it too it becomes a reference, so that its code is generated once. */
  function inner(schema: Schema): object | boolean {
    const name = names.get(schema)
    return name === undefined || typeof schema === 'boolean' ? whole(schema) : refTo(name)
  }

  function whole(schema: Schema): object | boolean {
    if (typeof schema === 'boolean') return schema
    const node = nodes.get(schema)!
    const { pattern, type, ...assertions } = node.assertions
    const target = targets.get(node)
    const parts = judging(schema, node, doubtful)
    const own =
      target === false
        ? false
        : {
            [SPEND]: costOf(node),
            ...(type !== undefined && { [isNumeric(type) ? NUMERIC_TYPE : 'type']: type }),
            ...assertions,
            ...(typeof pattern === 'string' && patterns.has(pattern) && { pattern }),
            ...Object.fromEntries(
              parts.filter(({ keyword }) => isOfUse(keyword, parts)).map((part) => [part.keyword, applied(part)]),
            ),
            ...(typeof target === 'object' && refTo(names.get(target)!)),
          }
    return node.nullable ? { anyOf: [{ type: 'null' }, own] } : own
  }

  function applied({ keyword, holds, schemas }: Part): unknown {
    if (keyword.startsWith('unevaluated')) unevaluated = true
    if (keyword === 'patternProperties')
      return Object.fromEntries(
        schemas.map(([source, schema]) => (patterns.has(source) ? [source, inner(schema)] : anyName())),
      )
    if (holds === 'one') return inner(schemas[0]![1])
    if (keyword === 'allOf' || keyword === 'anyOf')
      return inGroups(
        keyword,
        schemas.map(([, schema]) => inner(schema)),
      )
    return holds === 'list'
      ? schemas.map(([, schema]) => inner(schema))
      : Object.fromEntries(schemas.map(([key, schema]) => [key, inner(schema)]))
  }

  /** Splits a long list into groups with functions of their own: generated code nests as deep as a list is long. */
  function inGroups(keyword: 'allOf' | 'anyOf', schemas: (object | boolean)[]): (object | boolean)[] {
    if (schemas.length <= GROUP_LENGTH_MAX) return schemas
    return inGroups(
      keyword,
      Array.from({ length: Math.ceil(schemas.length / GROUP_LENGTH_MAX) }, (_, i) => {
        const name = `group ${Object.keys(definitions).length}`
        definitions[name] = { [keyword]: schemas.slice(i * GROUP_LENGTH_MAX, (i + 1) * GROUP_LENGTH_MAX) }
        return refTo(name)
      }),
    )
  }

  for (const [target, name] of names) definitions[name] = whole(target)
  const schema = inner(root)
  return { schema: typeof schema === 'boolean' ? schema : { ...schema, $defs: definitions }, unevaluated }
}

function refTo(name: string): { $ref: string } {
  return { $ref: `#/$defs/${encodeURIComponent(name)}` }
}

/** Steps for any value (names looked up, schemas applied), and steps for each of its parts. */
function costOf({ assertions, applicators }: Node): [once: number, perPart: number] {
  const required = (assertions['required'] as string[] | undefined)?.length ?? 0
  const dependent = Object.values((assertions['dependentRequired'] as JsonObject | undefined) ?? {}).flat().length
  const once = applicators.reduce((sum, { schemas }) => sum + schemas.length, 1 + required + dependent)
  return [once, 1 + (applicators.find(({ keyword }) => keyword === 'patternProperties')?.schemas.length ?? 0)]
}

/**
 * `then` and `else` have no effect without `if`, nor `if` without them. An empty list or map has no effect, and some
 * are invalid.
 */
function isOfUse(keyword: string, parts: Part[]): boolean {
  const has = (other: string) => parts.some((part) => part.keyword === other && part.schemas.length > 0)
  if (keyword === 'if') return has('then') || has('else')
  return has(keyword) && ((keyword !== 'then' && keyword !== 'else') || has('if'))
}
