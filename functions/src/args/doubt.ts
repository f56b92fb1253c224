import type { JsonObject } from '@vitrine/core/json/value'
import type { SchemaDocument } from './document.ts'
import type { Schema } from './keywords.ts'
import type { Node, Part } from './node.ts'

/**
 * A schema is doubtful if its verdict may hang on something that was not understood: in it, or in what it applies. What is left out of it
 * can only make it accept more, so a keyword that refuses where a doubtful schema accepts must not judge.
 */
export function doubtfulIn({ nodes, targets }: SchemaDocument): Set<Schema> {
  const users = new Map<Schema, JsonObject[]>()
  const use = (used: Schema, by: JsonObject): void => {
    if (typeof used === 'boolean') return
    const others = users.get(used)
    if (others) others.push(by)
    else users.set(used, [by])
  }
  for (const [schema, node] of nodes) {
    for (const { schemas } of node.applicators) for (const [, inner] of schemas) use(inner, schema)
    const target = targets.get(node)
    if (target !== undefined) use(target, schema)
  }
  const doubtful = new Set<Schema>()
  const reached: Schema[] = [...nodes].filter(([, { notes }]) => notes.length > 0).map(([schema]) => schema)
  for (let schema = reached.pop(); schema !== undefined; schema = reached.pop()) {
    if (doubtful.has(schema)) continue
    doubtful.add(schema)
    reached.push(...(users.get(schema) ?? []))
  }
  return doubtful
}

/** What becomes of a keyword with a doubtful schema in it; of all others nothing. */
const IN_DOUBT: Record<string, 'left out' | 'anyOf'> = {
  not: 'left out',
  if: 'left out',
  contains: 'left out',
  // At least one of the alternatives still has to be possible.
  oneOf: 'anyOf',
}

/** The parts of a schema that may judge. */
export function judging(schema: Schema, { applicators }: Node, doubtful: Set<Schema>): Part[] {
  if (doubtful.size === 0) return applicators
  const has = (keyword: string) => applicators.some((part) => part.keyword === keyword)
  return applicators.flatMap((part) => {
    // What is unevaluated is what all the others leave.
    if (part.keyword.startsWith('unevaluated')) return doubtful.has(schema) ? [] : [part]
    const fate = part.schemas.some(([, inner]) => doubtful.has(inner)) ? IN_DOUBT[part.keyword] : undefined
    if (fate === undefined) return [part]
    return fate === 'left out' || has(fate) ? [] : [{ ...part, keyword: fate }]
  })
}
