import type { ErrorObject } from 'ajv'
import { LRUCache } from 'lru-cache'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { fail, ok, type Result } from '@vitrine/core/result'
import { compileSchema, type Checked, type Validator } from './compile.ts'
import { isSchema } from './keywords.ts'

/** Bytes of all validators that are kept. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024
/** Of one that is being made, or that there is none. */
const UNMADE_BYTES = 1_000
/** A text beyond this says nothing more. */
const MESSAGE_LENGTH_MAX = 300

/**
 * Checks a call's arguments against a schema. `key` names the schema: equal keys are equal schemas. Errors: args_invalid, which says where
 * and by which keyword, and never repeats a value; schema_unusable for a schema that cannot be checked against, or not within bounds.
 */
export type CheckArgs = (schema: JsonValue, key: string, args: JsonObject) => Promise<Result<void>>

/** Keeps the validators that it makes. What cannot be used is kept too, so that finding that out again costs nothing. */
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
      // What failed because of us may work the next time.
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

/** The last error is about the outermost schema; those before say why, where one of several had to fit. */
function invalid(errors: Exclude<Checked, string>): Result<never> {
  const outermost = errors.at(-1)!
  const reasons = [...new Set(errors.slice(0, -1).map((error) => describe(error)))].slice(0, 3)
  const text = describe(outermost) + (reasons.length > 0 ? ` (${reasons.join('; ')})` : '')
  const message = text.length > MESSAGE_LENGTH_MAX ? `${text.slice(0, MESSAGE_LENGTH_MAX)}…` : text
  return fail('args_invalid', message.toWellFormed(), {
    field: 'args',
    pointer: outermost.instancePath,
    keyword: outermost.keyword,
  })
}

function describe({ instancePath, message, keyword, params }: ErrorObject): string {
  const named = keyword === 'additionalProperties' ? ` ${JSON.stringify(params['additionalProperty'])}` : ''
  return `args${instancePath} ${message}${named}`
}
