import type { JsonObject } from '@vitrine/core/json-value'
import type { Answer, Endpoint } from '@vitrine/core/tool'
import type { ErrorCode } from '@vitrine/core/errors'

/** One call to an upstream. The credential is used for this call and kept nowhere. */
export interface ForwardRequest {
  /** Identity of the registration and its version: what a connection may be reused for, such as `agents/a/tools/t@3`. */
  connection: string
  endpoint: Endpoint
  /** For `mcp`: the name for tools/call. */
  command?: string
  args: JsonObject
  credential: string | null
  /** Aborts at the deadline or when the caller goes away; `signal.reason` is a ForwardAbort. */
  signal: AbortSignal
}

/** Why a call was given up from our side. */
export type ForwardAbort = 'upstream_timeout' | 'cancelled'

export type ForwardOutcome =
  /** The upstream answered: `status` is its HTTP status (200 for MCP results), `ok` its own verdict. */
  | { answered: true; status: number; ok: boolean; answer: Answer }
  /** No answer to pass on. `status` is the upstream's when its response line had come before things went wrong, otherwise 0: then the unit is credited back. */
  | { answered: false; status: number; code: ErrorCode }

/** Never throws: what goes wrong is an outcome. */
export type Forward = (request: ForwardRequest) => Promise<ForwardOutcome>
