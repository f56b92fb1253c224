import type { JsonObject } from '@vitrine/core/json/value'
import type { Piece } from '@vitrine/core/tool'
import { ANSWER_DEPTH_MAX, isDeeperThan } from '../../answers/answer.ts'
import { isGood, type ReadResult } from '../../answers/read.ts'
import type { ForwardOutcome } from '../forward.ts'

/** What an MCP server says of a call: its result and its progress. A worker passes both on as they are. */

const INVALID: ForwardOutcome = { answered: false, status: 200, code: 'upstream_invalid', sent: true }

export function outcomeOfResult(result: JsonObject): ForwardOutcome {
  return isDeeperThan(result, ANSWER_DEPTH_MAX)
    ? INVALID
    : { answered: true, status: 200, ok: isGood(result), answer: { type: 'json', value: result } }
}

/** The same for a result that was read in a thread. */
export function outcomeOfRead({ ok, answer }: ReadResult): ForwardOutcome {
  return answer === null ? INVALID : { answered: true, status: 200, ok, answer }
}

/** The params of `notifications/progress` as a piece; null if they are something else. */
export function progressOf({ progress, total, message }: Record<string, unknown>): Piece | null {
  if (typeof progress !== 'number') return null
  return {
    type: 'progress',
    progress,
    ...(typeof total === 'number' && { total }),
    ...(typeof message === 'string' && { message }),
  }
}
