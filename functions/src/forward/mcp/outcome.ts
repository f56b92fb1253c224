import { parseJson } from '@vitrine/core/json/parse'
import { rpcMessage } from '@vitrine/core/json/rpc-message'
import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import { ANSWER_DEPTH_MAX, isDeeperThan } from '../../answers/answer.ts'
import type { Exchange, RpcAnswer, RpcError } from './exchange.ts'
import { abortOf } from '../../egress/abort.ts'
import type { ForwardOutcome } from '../forward.ts'
import { outcomeOfRead, outcomeOfResult } from './result.ts'

/**
 * What became of an exchange. In this order: it has a result; given up by the caller; failed on the way; answered with an error, in
 * JSON-RPC or by HTTP alone; answered in something that is not the protocol.
 */
export function outcomeOf(exchange: Exchange, signal: AbortSignal): ForwardOutcome {
  const { status, answer, read, failure, sent } = exchange
  if (answer !== null && 'result' in answer) return read === null ? outcomeOfResult(answer.result) : outcomeOfRead(read)
  if (signal.aborted) return { answered: false, status, code: abortOf(signal), sent }
  if (failure !== null) return { answered: false, status, code: failure, sent }
  const error = rpcErrorOf(exchange) ?? (status >= 300 ? httpError(exchange) : null)
  return error === null ? { answered: false, status, code: 'upstream_invalid', sent } : failed(status, { error })
}

/** The server's JSON-RPC error, which may come with any HTTP status. */
export function rpcErrorOf({ answer, status, errorText }: Exchange): JsonObject | null {
  if (answer !== null) return 'error' in answer ? errorOf(answer) : null
  const body = status >= 300 ? rpcMessage(parsed(errorText)) : null
  return isObject(body) && isObject(body['error']) && typeof body['error']['code'] === 'number' ? body['error'] : null
}

function failed(status: number, value: JsonValue): ForwardOutcome {
  if (isDeeperThan(value, ANSWER_DEPTH_MAX)) return { answered: false, status, code: 'upstream_invalid', sent: true }
  return { answered: true, status, ok: false, answer: { type: 'json', value } }
}

function errorOf({ error }: Extract<RpcAnswer, { error: RpcError }>): JsonObject {
  return {
    code: error.code,
    message: error.message,
    ...(error.data !== undefined && { data: error.data as JsonValue }),
  }
}

function httpError({ status, errorText }: Exchange): JsonObject {
  const body = parsed(errorText)
  return { message: `HTTP ${status}`, ...(body !== null && body !== '' && { body }) }
}

function parsed(text: string | null): JsonValue {
  try {
    return text === null ? null : parseJson(text)
  } catch {
    return text
  }
}
