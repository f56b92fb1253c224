import type { ErrorObject } from 'ajv'
import { LRUCache } from 'lru-cache'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { fail, ok, type Result } from '@vitrine/core/result'
import { compileSchema, type Checked, type Validator } from './compile.ts'
import { isSchema } from './keywords.ts'
import { NUMERIC_TYPE } from './numbers.ts'

/** Memory that all cached validators may take. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024
/** Weight of an entry that is still compiling or cannot be used. */
const UNMADE_BYTES = 1_000
/** A longer message would tell the caller nothing more. */
const MESSAGE_LENGTH_MAX = 300

/**
 * Checks a call's arguments against a schema. `key` identifies the schema: equal keys mean equal schemas. Errors:
 * args_invalid, which names the place and the keyword and never repeats a value; schema_unusable for a schema that
 * cannot be checked, or not within bounds.
 */
export type CheckArgs = (schema: JsonValue, key: string, args: JsonObject) => Promise<Result<void>>

/** Caches validators, and also the verdict on unusable schemas, so that repeating it is free. */
export function createArgsChecker(): CheckArgs {
  const kept = new LRUCache<string, { made: Promise<Validator | string>; bytes: number }>({
    maxSize: KEPT_BYTES_MAX,
    sizeCalculation: ({ bytes }) => bytes,
  })

  function validatorOf(schema: JsonValue, key: string): Promise<Validator | string> {
    const known = kept.get(key)
    if (known) return known.made
    const made = isSchema(schema) ? compileSchema(schema) : Promise.resolve('it is no schema')
    kept.set(key, { made, bytes: UNMADE_BYTES })
    made.then(
      (validator) => {
        if (typeof validator !== 'string') kept.set(key, { made, bytes: validator.weight })
      },
      // Our own failure may not repeat.
      () => kept.delete(key),
    )
    return made
  }

  return async (schema, key, args) => {
    const validator = await validatorOf(schema, key)
    if (typeof validator === 'string') return unusable(validator)
    const checked = validator.check(args)
    if (checked === 'too-long') return unusable('checking these arguments against it takes too long')
    if (checked === 'failed') return unusable('checking these arguments against it failed')
    return checked === 'ok' ? ok(undefined) : invalid(checked)
  }
}

function unusable(why: string): Result<never> {
  return fail('schema_unusable', `The input schema of this command cannot be used: ${why}.`, { field: 'args' })
}

/** The last error is about the outermost schema; the ones before it explain why none of several alternatives fits. */
function invalid(errors: Exclude<Checked, string>): Result<never> {
  const outermost = errors.at(-1)!
  const reasons = [...new Set(errors.slice(0, -1).map((error) => describe(error)))].slice(0, 3)
  const text = describe(outermost) + (reasons.length > 0 ? ` (${reasons.join('; ')})` : '')
  const message = text.length > MESSAGE_LENGTH_MAX ? `${text.slice(0, MESSAGE_LENGTH_MAX)}…` : text
  return fail('args_invalid', message.toWellFormed(), {
    field: 'args',
    pointer: outermost.instancePath,
    keyword: outermost.keyword === NUMERIC_TYPE ? 'type' : outermost.keyword,
  })
}

function describe({ instancePath, message, keyword, params }: ErrorObject): string {
  const named = keyword === 'additionalProperties' ? ` ${JSON.stringify(params['additionalProperty'])}` : ''
  return `args${instancePath} ${message}${named}`
}
