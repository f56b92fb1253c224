import { pathToFileURL } from 'node:url'
import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'

/**
 * What folders are called in a server's list of tools. Some servers name their folder in a description. A list must be the same on every
 * worker and after each restart, or the pin would take the difference for a change of the server; so a list has the names of the worker's
 * image, wherever a worker has its folders.
 */

/** As the Dockerfile has them. */
export const IMAGE_FOLDERS = { work: '/var/lib/vitrine/work', cache: '/var/lib/vitrine/cache' } as const

export type Renaming = (tool: JsonObject) => JsonObject

/** Renames folders in all texts of a value, the first one that fits. What has none of them stays the same object. */
export function renaming(folders: readonly (readonly [here: string, inImage: string])[]): Renaming {
  const names = new Map(folders.flatMap(([here, inImage]) => spellings(here).map((spelling) => [spelling, inImage])))
  const pattern = new RegExp(`(?:${[...names.keys()].map(literal).join('|')})(?![\\w-])`, 'g')

  return (tool) => renamed(tool, (text) => text.replaceAll(pattern, (name) => names.get(name)!)) as JsonObject
}

function spellings(folder: string): string[] {
  return [folder, pathToFileURL(folder).pathname]
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

function renamed(value: JsonValue, rename: (text: string) => string): JsonValue {
  if (typeof value === 'string') return rename(value)
  if (Array.isArray(value)) {
    const items = value.map((item) => renamed(item, rename))
    return items.every((item, at) => item === value[at]) ? value : items
  }
  if (!isObject(value)) return value
  const entries = Object.entries(value).map(([name, item]) => [name, renamed(item, rename)] as const)
  return entries.every(([name, item]) => item === value[name]) ? value : Object.fromEntries(entries)
}
