import { JSON_DEPTH_MAX } from '../limits.ts'
import { fail, ok, type Result } from '../result.ts'
import { isNumberLiteral, type NumberLiteral } from './number-literal.ts'

/** JSON values: their types, and a check that an unknown value is one. */

export type JsonValue = string | number | NumberLiteral | boolean | null | JsonValue[] | { [key: string]: JsonValue }
export type JsonObject = { [key: string]: JsonValue }

/** Whether a value is an object and not an array. */
export function isObject(value: JsonValue | undefined): value is JsonObject
export function isObject(value: unknown): value is Record<string, unknown>
export function isObject(value: unknown): boolean {
  return isContainer(value) && !Array.isArray(value)
}

/** Whether a value has parts: an object or array. A number's literal is an object to JavaScript alone. */
export function isContainer(value: JsonValue | undefined): value is JsonValue[] | JsonObject
export function isContainer(value: unknown): value is object
export function isContainer(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !isNumberLiteral(value)
}

/** Names that an upstream's parser or merge may treat as the prototype: never forwarded, never stored. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * Checks that a value is JSON all the way down and no deeper than `JSON_DEPTH_MAX`.
 * Errors: invalid_argument, its message naming the path, for NaN, infinities, undefined, bigint, functions, lone
 * surrogates, cycles, class instances, forbidden keys and excessive depth. With `bigints`, the caller writes those as
 * numbers.
 */
export function checkJson(value: unknown, path = 'args', { bigints = false } = {}): Result<JsonValue> {
  const problem = findProblem(value, path, { depth: 0, bigints })
  // Keys are shortened to fit into the path, which may split a surrogate pair.
  return problem === null ? ok(value as JsonValue) : fail('invalid_argument', problem.toWellFormed(), { field: path })
}

interface Place {
  depth: number
  bigints: boolean
}

function findProblem(value: unknown, path: string, place: Place): string | null {
  if (value === null || typeof value === 'boolean') return null
  if (typeof value === 'string') return value.isWellFormed() ? null : `${path} holds a lone surrogate.`
  if (typeof value === 'number') return Number.isFinite(value) ? null : `${path} is ${value}, which JSON cannot hold.`
  if (typeof value === 'bigint' && place.bigints) return null
  if (typeof value !== 'object') return `${path} is ${typeof value}, which JSON cannot hold.`
  if (isNumberLiteral(value)) return null
  // A cycle nests without end, so the depth bound finds it too.
  if (place.depth === JSON_DEPTH_MAX)
    return `${path.slice(0, 60)}… is nested deeper than ${JSON_DEPTH_MAX} levels, or is cyclic.`
  const inside = { ...place, depth: place.depth + 1 }
  return Array.isArray(value) ? findInArray(value, path, inside) : findInObject(value, path, inside)
}

function findInArray(value: unknown[], path: string, place: Place): string | null {
  for (let i = 0; i < value.length; i++) {
    const problem = findProblem(value[i], `${path}[${i}]`, place)
    if (problem !== null) return problem
  }
  return null
}

function findInObject(value: object, path: string, place: Place): string | null {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return `${path} is not a plain object.`
  for (const key of Object.keys(value)) {
    if (FORBIDDEN_KEYS.has(key)) return `${path} has a key that is not allowed: ${key}.`
    if (!key.isWellFormed()) return `${path} has a key with a lone surrogate.`
    const problem = findProblem((value as Record<string, unknown>)[key], `${path}.${key.slice(0, 40)}`, place)
    if (problem !== null) return problem
  }
  return null
}
