import { ERRORS, isErrorCode, type CallableStatus, type ErrorCode } from '@vitrine/core/errors'
import { findLack } from './check.ts'
import { VitrineError } from './error.ts'
import { isPlainObject } from './json-type.ts'
import type { ParseJson } from './numbers.ts'
import type { Answer, OperationPath } from './operations.ts'

/** What came back over HTTP, not yet understood. */
export interface RawAnswer {
  status: number
  text: string
}

/** For errors without a code we know: from the platform before Vitrine, or from a newer Vitrine. */
const CODE_OF_STATUS: Partial<Record<CallableStatus, ErrorCode>> = {
  INVALID_ARGUMENT: 'invalid_argument',
  UNAUTHENTICATED: 'unauthenticated',
  PERMISSION_DENIED: 'permission_denied',
  ABORTED: 'conflict',
  UNAVAILABLE: 'unavailable',
  INTERNAL: 'internal',
}

/** Statuses with which load balancers and platforms say "later". */
const PASSING = new Set([408, 429, 502, 503, 504])

/**
 * Reads an answer of the callable protocol, `{result}` or `{error: {status, message, details}}`.
 * Errors: what the server reports, or invalid_response. The body never enters an invalid_response: it may be anything.
 */
export function readAnswer<Path extends OperationPath>(
  answer: RawAnswer,
  path: Path,
  parseJson: ParseJson,
): Answer<Path> {
  const body = parse(answer, parseJson)
  const error = body['error']
  if (isPlainObject(error)) throw reported(answer.status, error)
  const result = body['result']
  if (answer.status < 200 || answer.status > 299 || !isPlainObject(result))
    throw invalid(answer.status, 'has neither a result nor an error')
  const lack = findLack(path, result)
  if (lack !== undefined) throw invalid(answer.status, `lacks ${lack}`)
  return result as Answer<Path>
}

function parse({ status, text }: RawAnswer, parseJson: ParseJson): Record<string, unknown> {
  let body: unknown
  try {
    body = parseJson(text)
  } catch {
    // The parser's message quotes the text, so it is no cause.
    throw invalid(status, 'is not JSON')
  }
  if (!isPlainObject(body)) throw invalid(status, 'is not a JSON object')
  return body
}

function reported(httpStatus: number, error: Record<string, unknown>): VitrineError {
  const details = isPlainObject(error['details']) ? error['details'] : {}
  const code = codeOf(details['code'], error['status'])
  const message = typeof error['message'] === 'string' && error['message'] !== '' ? error['message'] : undefined
  const retryable = typeof details['retryable'] === 'boolean' ? details['retryable'] : undefined
  return new VitrineError(code ?? 'invalid_response', {
    message:
      message ??
      (code === undefined ? 'The server reports an error that this version does not know.' : ERRORS[code].message),
    retryable: retryable ?? (code === undefined ? PASSING.has(httpStatus) : ERRORS[code].retryable),
    status: httpStatus,
    details,
  })
}

function codeOf(code: unknown, status: unknown): ErrorCode | undefined {
  if (isErrorCode(code)) return code
  return typeof status === 'string' && Object.hasOwn(CODE_OF_STATUS, status)
    ? CODE_OF_STATUS[status as CallableStatus]
    : undefined
}

function invalid(status: number, what: string): VitrineError {
  return new VitrineError('invalid_response', {
    message: `The answer (HTTP ${status}) ${what}.`,
    status,
    retryable: PASSING.has(status),
  })
}
