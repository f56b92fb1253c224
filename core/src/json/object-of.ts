import type { JsonObject, JsonValue } from './value.ts'

/** Builds a JSON object from keys and values in bounded memory, even when the keys are numbers. */

const INDEX = /^\d+$/

/**
 * An object with these keys, all different, and these values. Object.fromEntries is enough unless a key is an array
 * index: adding `999` to an empty object makes V8 allocate a thousand slots, so a list of such objects would take a
 * thousand times its length as JSON. JSON.parse knows all keys before it allocates.
 */
export function objectOf(keys: readonly string[], values: readonly JsonValue[]): JsonObject {
  if (!keys.some((key) => INDEX.test(key))) return Object.fromEntries(keys.map((key, i) => [key, values[i]!]))
  const object = JSON.parse(`{${keys.map((key) => `${JSON.stringify(key)}:0`).join(',')}}`) as JsonObject
  // `__proto__` is already an own property here, so this sets it and not the prototype.
  for (const [i, key] of keys.entries()) object[key] = values[i]!
  return object
}
