import type { JsonObject, JsonValue } from './value.ts'

const INDEX = /^\d+$/

/**
 * An object of these keys, all different, and their values. What Object.fromEntries does, but for keys that are indexes: adding `999` to an
 * empty object makes V8 provide for a thousand items and more, so that a list of such objects takes a thousand times its length as JSON.
 * JSON.parse knows all keys before it begins.
 */
export function objectOf(keys: readonly string[], values: readonly JsonValue[]): JsonObject {
  if (!keys.some((key) => INDEX.test(key))) return Object.fromEntries(keys.map((key, i) => [key, values[i]!]))
  const object = JSON.parse(`{${keys.map((key) => `${JSON.stringify(key)}:0`).join(',')}}`) as JsonObject
  // An own `__proto__` is there by now: this sets it, and not the prototype.
  for (const [i, key] of keys.entries()) object[key] = values[i]!
  return object
}
