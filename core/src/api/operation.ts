import type * as z from 'zod'
import type { ErrorCode } from '../errors.ts'

/** Who may call an operation, by the bearer of the request. An owner is a signed-in person or an owner key. */
export type Caller = 'owner' | 'auditor' | 'agent' | 'worker'

/**
 * One operation of the API, written once. Its key in the contract is its path below the functions' base URL,
 * `registerTool` or `admin/createAgent`. The server's parsing, the SDK's types and checks, the CLI's commands, README's
 * table, the fuzzer's targets and docs/api.md are made from it.
 */
export interface Operation {
  /**
   * Its name in the SDK (`agents.create`) and on the command line (`vitrine agents create`); null if both have their
   * own code for it.
   */
  method: `${string}.${string}` | null
  callers: readonly Caller[]
  /** One sentence for people, without a subject: "Creates an agent." */
  summary: string
  /**
   * `.describe()` describes fields whose name does not say everything. `.meta({ secret: true })` marks credentials: the
   * command line reads them only from files, and an answer shows them only once.
   */
  request: z.ZodType
  response: z.ZodType
  /**
   * Codes of core/src/errors.ts that this operation may answer with, besides those of every request (`COMMON_ERRORS`).
   */
  errors: readonly ErrorCode[]
  /** `destroy`: its effect cannot be undone. */
  effect: 'read' | 'change' | 'destroy'
  /** A valid request. The fuzzer spoils it, and the documentation shows it. */
  example: unknown
  /** The pieces sent before the response if the caller accepts `text/event-stream`. */
  pieces?: z.ZodType
  /** `lines`: the answer is JSON lines of this response instead of one `{result}`. */
  answer?: 'lines'
}

/** Errors that any request may meet, before its operation starts or because a service it needs fails. */
export const COMMON_ERRORS = [
  'invalid_json',
  'invalid_request',
  'invalid_argument',
  'request_too_large',
  'method_not_allowed',
  'unknown_operation',
  'unauthenticated',
  'malformed_key',
  'invalid_key',
  'permission_denied',
  'conflict',
  'cancelled',
  'ledger_unavailable',
  'unavailable',
  'internal',
] as const satisfies readonly ErrorCode[]

/** Checks an operation's example against its request at compile time, and keeps the narrow type of every part. */
export function operation<
  const Method extends Operation['method'],
  Request extends z.ZodType,
  Response extends z.ZodType,
>(
  it: Omit<Operation, 'method' | 'request' | 'response' | 'example'> & {
    method: Method
    request: Request
    response: Response
    example: z.input<Request>
  },
): typeof it {
  return it
}
