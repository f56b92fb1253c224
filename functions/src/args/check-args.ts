import type { ErrorObject } from 'ajv'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { fail, ok, type Result } from '@vitrine/core/result'
import { definitionOf, pinnedOf } from '../manifest/pinned.ts'
import type { ToolDoc } from '../store/documents.ts'
import { compileSchema, type Checked, type Validator } from './compile.ts'
import { isSchema } from './keywords.ts'
import { weightedLru } from '../lib/weighted-lru.ts'

/** Bytes of all validators that are kept. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024
/** Of one that is being made, or that there is none. */
const UNMADE_BYTES = 1_000
/** A text beyond this says nothing more. */
const MESSAGE_LENGTH_MAX = 300

/** By manifest and command; what cannot be used is kept too, so that finding that out again costs nothing. */
const validators = weightedLru<Promise<Validator | string>>(KEPT_BYTES_MAX)

/**
 * Checks a call's arguments against the input schema of its command, as pinned. What has no schema is not checked. Errors:
 * args_invalid, which says where and by which keyword, and never repeats a value; schema_unusable for a schema that cannot be checked
 * against, or not within bounds.
 */
export async function checkArgs(
  tool: Pick<ToolDoc, 'manifest' | 'manifestHash'>,
  command: string | undefined,
  args: JsonObject,
): Promise<Result<void>> {
  if (command === undefined) return ok(undefined)
  const schema = definitionOf(pinnedOf(tool), command)?.['inputSchema']
  if (schema === undefined) return ok(undefined)
  const validator = await validatorOf(schema, `${tool.manifestHash} ${command}`)
  if (typeof validator === 'string') return unusable(command, validator)
  const checked = validator.check(args)
  if (checked === 'too-long') return unusable(command, 'checking these arguments against it takes too long')
  if (checked === 'failed') return unusable(command, 'checking these arguments against it failed')
  return checked === 'ok' ? ok(undefined) : invalid(checked)
}

function validatorOf(schema: JsonValue, key: string): Promise<Validator | string> {
  const known = validators.get(key)
  if (known) return known
  const made = isSchema(schema) ? compileSchema(schema) : Promise.resolve('it is no schema')
  validators.set(key, made, UNMADE_BYTES)
  made.then(
    (validator) => validators.set(key, made, typeof validator === 'string' ? UNMADE_BYTES : validator.weight),
    // What failed for reasons of ours may work the next time.
    () => validators.delete(key),
  )
  return made
}

function unusable(command: string, why: string): Result<never> {
  return fail('schema_unusable', `The input schema of "${command}" cannot be used: ${why}.`, { field: 'args' })
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
