import type { JsonObject } from '@vitrine/core/json/value'
import type { Schema } from './keywords.ts'
import type { SchemaDocument } from './document.ts'

/** Schemas and properties that apply to the same value, counted once per visit. */
const IN_PLACE_MAX = 10_000
/** Sum over all schemas. The code for `unevaluated…` carries every property through all of them. */
const CARRIED_MAX = 20_000
/** The code for `oneOf` nests as deep as there are alternatives, and parsers handle deep nesting badly. */
const ONE_OF_MAX = 250

/**
 * Checks that do not depend on arguments: no schema applies to a value by way of itself (Core 2020-12, section 9.4.1),
 * and no tower of `allOf` or `$ref` makes the validator visit one value too often. Returns a text that names the
 * problem.
 */
export function inPlaceProblem({ root, nodes, targets }: SchemaDocument): string | undefined {
  const sizes = new Map<JsonObject, number | 'open'>()
  let carried = 0
  let carries = false
  let cyclic = false
  let tooWide = false

  function sizeOf(schema: Schema): number {
    if (typeof schema === 'boolean') return 1
    const known = sizes.get(schema)
    if (known === 'open') cyclic = true
    if (known !== undefined) return known === 'open' ? 1 : known
    sizes.set(schema, 'open')
    const node = nodes.get(schema)!
    let size = 1
    for (const { keyword, inPlace, schemas } of node.applicators) {
      if (keyword.startsWith('unevaluated')) carries = true
      if (keyword === 'oneOf' && schemas.length > ONE_OF_MAX) tooWide = true
      if (keyword === 'properties') size += schemas.length
      for (const [, inner] of schemas) size += inPlace ? sizeOf(inner) : 0
    }
    const target = targets.get(node)
    if (target !== undefined) size += sizeOf(target)
    size = Math.min(size, IN_PLACE_MAX + 1)
    sizes.set(schema, size)
    carried += size
    return size
  }

  const largest = Math.max(sizeOf(root), ...[...nodes.keys()].map(sizeOf))
  if (cyclic) return 'a schema in it applies to a value by way of itself'
  if (largest > IN_PLACE_MAX || (carries && carried > CARRIED_MAX)) return 'too many schemas in it apply to one value'
  return tooWide ? `"oneOf" in it has more than ${ONE_OF_MAX} schemas` : undefined
}
