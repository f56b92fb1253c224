import * as z from 'zod'
import { isErrorCode } from '@vitrine/core/errors'
import { LABEL_LENGTH_MAX } from '@vitrine/core/limits'
import { isCommand, isId, isToolName, splitCallName } from '@vitrine/core/names'
import { fail, ok, type Result } from '@vitrine/core/result'

/** Shapes that several operations share. A check that has a code of its own names it as the zod message. */
export const id = z.string().refine(isId, 'Must be an id.')
export const toolName = z.string().refine(isToolName, 'invalid_name')
/** A tool, or one command of it: `server__command`. */
export const callName = z.string().refine((text) => {
  const { name, command } = splitCallName(text)
  return isToolName(name) && (command === undefined || isCommand(command))
}, 'invalid_name')
export const label = z
  .string()
  .trim()
  .min(1)
  .max(LABEL_LENGTH_MAX)
  .refine((text) => !/\p{Cc}/u.test(text), 'Must not hold control characters.')
export const month = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'Must be YYYY-MM.')
export const seq = z.number().int().min(0)

/** Unknown in, domain type out. Errors: invalid_argument with `details.field`, or the code that the failed check names. */
export function parse<T>(schema: z.ZodType<T>, data: unknown): Result<T> {
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
