import type * as z from 'zod'
import type { ErrorCode } from '../errors.ts'

/** Who may call an operation, by the bearer that the request carries. An owner is a signed-in person or an owner key. */
export type Caller = 'owner' | 'auditor' | 'agent' | 'worker'

/**
 * One operation of the API, written once. The key under which it is listed is its path below the functions' base URL, `registerTool` or
 * `admin/createAgent`. The server's parsing, the SDK's types and checks, the CLI's commands, README's table, the fuzzer's targets and
 * docs/api.md come from this.
 */
export interface Operation {
  /** Its name in the SDK (`agents.create`) and on the command line (`vitrine agents create`); null where those have code of their own. */
  method: `${string}.${string}` | null
  callers: readonly Caller[]
  /** One sentence for people, the subject left out: "Makes an agent." */
  summary: string
  /**
   * Fields are described by `.describe()` where their name does not say it all. `.meta({ secret: true })` marks credentials: in a request
   * the command line reads them from files alone, and a response shows them this once.
   */
  request: z.ZodType
  response: z.ZodType
  /** Codes of core/src/errors.ts that this operation adds to those of any request (`COMMON_ERRORS`). */
  errors: readonly ErrorCode[]
  /** `destroy`: what it takes away cannot be had back. */
  effect: 'read' | 'change' | 'destroy'
  /** A request that parses. The fuzzer spoils it, the documentation shows it. */
  example: unknown
  /** What is sent piece by piece where the caller accepts `text/event-stream`, before the response. */
  pieces?: z.ZodType
  /** `lines`: the answer is JSON lines of this response instead of one `{result}`. */
  answer?: 'lines'
}

/** What any request may be refused with, before the operation sees it or because something is out of order behind it. */
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

/** Checks an operation's example against its request at compile time, and keeps every type as narrow as it is written. */
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
