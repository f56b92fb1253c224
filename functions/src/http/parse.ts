import type * as z from 'zod'
import { contract, type OperationPath, type Request } from '@vitrine/core/api/contract'
import { isErrorCode } from '@vitrine/core/errors'
import { doubleOf, isNumberLiteral } from '@vitrine/core/json/number-literal'
import { objectOf } from '@vitrine/core/json/object-of'
import { isContainer, type JsonValue } from '@vitrine/core/json/value'
import { CANONICAL_DEPTH_MAX } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'

/** Parses an operation's request by the contract; null counts as `{}`. Errors: those of `parse`. */
export function parseRequest<Path extends OperationPath>(path: Path, data: unknown): Result<Request<Path>> {
  return parse(contract[path].request as z.ZodType as z.ZodType<Request<Path>>, data ?? {})
}

/**
 * Turns unknown data into the schema's type. Numbers that the schema looks at are doubles; JSON that it takes as it is
 * keeps its number literals. Errors: invalid_argument with `details.field`, or the code that the failed check names.
 */
export function parse<T>(schema: z.ZodType<T>, data: unknown): Result<T> {
  if (!holdsLiteral(data)) return parsed(schema, data)
  const originals = new WeakMap<object, JsonValue>()
  const result = parsed(schema, withDoubles(data as JsonValue, originals))
  return result.ok ? ok(withOriginals(result.value as JsonValue, originals) as T) : result
}

function parsed<T>(schema: z.ZodType<T>, data: unknown): Result<T> {
  const parsed = schema.safeParse(data)
  if (parsed.success) return ok(parsed.data)
  const issue = parsed.error.issues[0]
  if (!issue) return fail('invalid_argument')
  const field = [...issue.path, ...(issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [])]
    .join('.')
    .slice(0, 100)
  if (isErrorCode(issue.message)) return fail(issue.message, undefined, { field })
  return fail(
    'invalid_argument',
    `${field || 'data'}: ${issue.code === 'unrecognized_keys' ? 'Unknown field.' : issue.message}`,
    { field },
  )
}

/** `parseJson` keeps no literals in what is deeper. */
function holdsLiteral(value: unknown, levels = CANONICAL_DEPTH_MAX): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (isNumberLiteral(value)) return true
  if (levels === 0) return false
  const inner = Array.isArray(value) ? (value as unknown[]) : Object.values(value)
  for (const item of inner) if (holdsLiteral(item, levels - 1)) return true
  return false
}

/** A copy with doubles for literals; `originals` gets what each part was copied from. */
function withDoubles(value: JsonValue, originals: WeakMap<object, JsonValue>): JsonValue {
  if (!isContainer(value)) return isNumberLiteral(value) ? doubleOf(value) : value
  const copied = (inner: JsonValue) => withDoubles(inner, originals)
  const copy = Array.isArray(value)
    ? value.map(copied)
    : objectOf(Object.keys(value), Object.values<JsonValue>(value).map(copied))
  originals.set(copy, value)
  return copy
}

/** Puts the originals in the place of the copies that a schema has let through untouched. */
function withOriginals(value: JsonValue, originals: WeakMap<object, JsonValue>): JsonValue {
  if (!isContainer(value)) return value
  const original = originals.get(value)
  if (original !== undefined) return original
  if (Array.isArray(value)) return value.map((item) => withOriginals(item, originals))
  return objectOf(
    Object.keys(value),
    Object.values<JsonValue>(value).map((inner) => withOriginals(inner, originals)),
  )
}
