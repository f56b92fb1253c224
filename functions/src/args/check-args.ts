import type { ErrorObject } from 'ajv'
import { LRUCache } from 'lru-cache'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { ArgsPolicy } from '@vitrine/core/tool'
import { compileSchema, type Checked, type Validator } from './compile.ts'
import type { Note } from './note.ts'
import { NUMERIC_TYPE } from './numbers.ts'

/** Memory that all cached validators may take. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024
/** Weight of an entry that is still compiling. */
const UNMADE_BYTES = 1_000
/** A longer message would tell the caller nothing more. */
const MESSAGE_LENGTH_MAX = 300

/** Makes the validator of a schema. `key` identifies the schema: equal keys mean equal schemas. */
export type Validators = (schema: JsonValue, key: string) => Promise<Validator>

/**
 * Checks a call's arguments against a schema. What of the schema is not understood is not checked and comes back as notes; with `strict` it
 * is refused. Errors: args_invalid, which names the place and the keyword and never repeats a value; schema_unusable for a schema
 * that takes too long with these arguments and, with `strict`, for one that is not understood.
 */
export type CheckArgs = (
  schema: JsonValue,
  key: string,
  args: JsonObject,
  policy: ArgsPolicy,
) => Promise<Result<Note[]>>

/** Keeps validators, within bounds. */
export function createValidators(): Validators {
  const kept = new LRUCache<string, { made: Promise<Validator>; bytes: number }>({
    maxSize: KEPT_BYTES_MAX,
    sizeCalculation: ({ bytes }) => bytes,
  })

  return (schema, key) => {
    const known = kept.get(key)
    if (known) return known.made
    const made = compileSchema(schema)
    kept.set(key, { made, bytes: UNMADE_BYTES })
    made.then(
      (validator) => kept.set(key, { made, bytes: validator.weight }),
      // Our own failure may not repeat.
      () => kept.delete(key),
    )
    return made
  }
}

export function createArgsChecker(validatorOf = createValidators()): CheckArgs {
  return async (schema, key, args, policy) => {
    const { notes, check } = await validatorOf(schema, key)
    const refused = policy === 'strict' ? notes.find(({ valid }) => !valid) : undefined
    if (refused) return unusable(refused.why)
    const checked = check(args)
    if (checked === 'too-long') return unusable('checking these arguments against it takes too long')
    if (checked === 'failed') return policy === 'strict' ? unusable(FAILED) : ok([{ pointer: '', why: FAILED }])
    return checked === 'ok' ? ok(notes) : invalid(checked)
  }
}

const FAILED = 'checking these arguments against it failed'

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
