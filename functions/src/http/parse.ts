import type * as z from 'zod'
import { contract, type OperationPath, type Request } from '@vitrine/core/api/contract'
import { isErrorCode } from '@vitrine/core/errors'
import { fail, ok, type Result } from '@vitrine/core/result'

/** Parses an operation's request by the contract; null counts as `{}`. Errors: those of `parse`. */
export function parseRequest<Path extends OperationPath>(path: Path, data: unknown): Result<Request<Path>> {
  return parse(contract[path].request as z.ZodType as z.ZodType<Request<Path>>, data ?? {})
}

/**
 * Turns unknown data into the schema's type. Errors: invalid_argument with `details.field`, or the code that the failed
 * check names.
 */
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
