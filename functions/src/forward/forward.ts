import type { JsonObject } from '@vitrine/core/json/value'
import type { Scrubber } from '@vitrine/core/scrub/scrub'
import type { Answer, Endpoint, Piece } from '@vitrine/core/tool'
import type { ErrorCode } from '@vitrine/core/errors'
import type { ReadLarge } from '../answers/large.ts'
import type { SerializedAnswer } from '../answers/read.ts'

/** One call to an upstream. The credential is used for this call and kept nowhere. */
export interface ForwardRequest {
  /** Identity of the registration and its version: what a connection may be reused for, such as `agents/a/tools/t@3`. */
  connection: string
  endpoint: Endpoint
  /** For `mcp`: the name for tools/call. */
  command?: string
  args: JsonObject
  credential: string | null
  /** Finds the credential in what the upstream says; answers and pieces are scrubbed by the caller, redirect locations here. */
  scrubber: Scrubber
  /** Headers of this call alone, lower-case names, such as `idempotency-key`. */
  headers?: Record<string, string>
  /**
   * Where pieces of the answer go as they come, unscrubbed; absent for a call that is answered at once. Resolves when the next piece may
   * come, so that a slow caller slows the upstream. What went out in pieces is not repeated: the outcome's answer is then JSON null, but
   * for JSON and MCP results, which are whole there too.
   */
  emit?: (piece: Piece) => Promise<void>
  /** Reads what is too large to be read at once; absent where answers are small. */
  readLarge?: ReadLarge
  /** Aborts at the deadline or when the caller goes away; `signal.reason` is a CallAbort (egress/abort.ts). */
  signal: AbortSignal
}

export type ForwardOutcome =
  /** The upstream answered: `status` is its HTTP status (200 for MCP results), `ok` its own verdict, `headers` what the caller gets of its headers. */
  | { answered: true; status: number; ok: boolean; headers?: Record<string, string>; answer: Answer | SerializedAnswer }
  /**
   * No answer to pass on. `status` is the upstream's when its response line had come before things went wrong, otherwise 0: then the unit
   * is credited back. `sent` is false when the request certainly never left (no connection was made). `location` is where
   * a redirect leads that is not followed, without the credential. `unlisted`: the status with which an MCP server refused its list
   * of tools, so that it was not called. `isBehind`: a worker is there, and has yet to hear that its policy has
   * the tool.
   */
  | {
      answered: false
      status: number
      code: ErrorCode
      sent: boolean
      location?: string
      unlisted?: number
      isBehind?: true
    }

/** Never throws: what goes wrong is an outcome. */
export type Forward = (request: ForwardRequest) => Promise<ForwardOutcome>
