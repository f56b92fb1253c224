import type { JsonValue } from '@vitrine/core/json/value'
import type { Agent } from '../auth/agent.ts'
import type { ForwardOutcome } from '../forward/forward.ts'
import type { RawJson } from '../http/raw-json.ts'
import type { Receipt } from '../ledger/plan.ts'
import type { BreakerDoc } from '../store/documents.ts'
import type { Callee } from './callee.ts'
import type { InvokeRequest } from './request.ts'
import type { Target } from './target.ts'

/** What the steps of one invocation hand each other. */

/** One invocation from the moment it is let in. */
export interface Dispatch {
  /** Its id, which intent and outcome share. */
  call: string
  agent: Agent
  /** The user that it is made for. */
  user: string | undefined
  tool: Callee
  request: InvokeRequest
  target: Target
  guard: Guard | undefined
}

/** An idempotency key in use: its document, and what its repetitions have to repeat. */
export interface Guard {
  path: string
  argsHash: string
}

/** What is recorded of how a call ended. */
export interface Ending {
  outcome: ForwardOutcome
  /** How each try ended. */
  tries: string[]
  durationMs: number
  /** Places in the answer where the credential was taken out. */
  redactions: number
  /** Of the scrubbed result; kept for a call with an idempotency key. */
  resultDigest: string
  /** What becomes of the tool's circuit breaker; undefined leaves it. */
  breaker: BreakerDoc | null | undefined
}

export interface Invoked {
  /** The upstream's HTTP status; 200 for an MCP result. */
  status: number
  ok: boolean
  /** Null where it went out in pieces, and for a repeated idempotency key. */
  result: JsonValue | RawJson
  /** With an idempotency key: `sha256:` and the hash of the result in canonical form (RFC 8785). */
  resultDigest?: string
  /** The tool was called by an earlier call with this idempotency key. */
  replayed?: true
  /** `pending` when the outcome is not yet on record: it is repeated until it is. */
  receipt: Receipt & { pending?: true }
}
