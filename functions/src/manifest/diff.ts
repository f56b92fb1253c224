import { utf8 } from '@vitrine/core/bytes'
import { comparableText } from '@vitrine/core/json/decimal'
import { canonicalize } from '@vitrine/core/json/jcs'
import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import { sha256Hex } from '@vitrine/core/keys/sha256-node'
import { definitionHash } from '@vitrine/core/policy/definition'

/**
 * Tool objects by name, in the order of the list. A name may occur twice; a tool without a name is listed as '', which
 * cannot be called.
 */
export type ToolsByName = Map<string, JsonObject[]>

export interface ManifestDiff {
  /** Names, sorted. */
  added: string[]
  removed: string[]
  changed: string[]
}

export function toolsByName(tools: readonly JsonValue[]): ToolsByName {
  const byName: ToolsByName = new Map()
  for (const tool of tools) {
    const object = isObject(tool) ? tool : { '': tool }
    const name = typeof object['name'] === 'string' ? object['name'] : ''
    byName.set(name, [...(byName.get(name) ?? []), object])
  }
  return byName
}

/**
 * SHA-256, hex, of the tools only: each whole object as the server sent it, in canonical form, so that a change of any
 * field or digit shows; `1.0` is `1`. The order of different names does not matter, nor does the server's own version. Throws TypeError for
 * values that have no canonical text.
 */
export function toolsHash(tools: ToolsByName): string {
  return sha256Hex(
    utf8(
      canonicalize([...tools].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, all]) => [name, definitionHash(all)])),
    ),
  )
}

export function diffTools(before: ToolsByName, after: ToolsByName): ManifestDiff {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort()
  return {
    added: names.filter((name) => !before.has(name)),
    removed: names.filter((name) => !after.has(name)),
    changed: names.filter((name) => before.has(name) && after.has(name) && !isSame(before.get(name), after.get(name))),
  }
}

/** Whether two lists define a command identically; undefined means that the list lacks it. */
export function isSame(before: JsonObject[] | undefined, after: JsonObject[] | undefined): boolean {
  return before !== undefined && after !== undefined && comparableText(before) === comparableText(after)
}
