import { isObject, type JsonObject, type JsonValue } from './value.ts'

/** JSON-RPC 2.0, section 5.1: an error of the server, for one that gives no code. */
const INTERNAL_ERROR = -32603

/**
 * An answer to the request `id` as JSON-RPC 2.0 (section 5) has it, where a server nearly wrote one: with the id as a string, or an error with none;
 * `error: null` beside a result, or `result: null` beside an error; an error that is a text, or has no code; without `jsonrpc`; with more fields.
 * Of a result and an error, the error counts. An answer to something else, a request, and what is none of these come back as they are. Its own numbers are doubles (rpcMessage).
 */
export function rpcAnswer(message: JsonValue, id: string | number): JsonValue {
  if (!isObject(message) || 'method' in message) return message
  const { id: given = null, result } = message
  const error = errorOf(message['error'])
  // An error in the answer to a request can only be meant for that; a result could be of anything.
  if (given === null ? error === null : String(given) !== String(id)) return message
  if (error !== null) return { jsonrpc: '2.0', id, error }
  return isObject(result) ? { jsonrpc: '2.0', id, result } : message
}

function errorOf(error: JsonValue | undefined): JsonObject | null {
  if (typeof error === 'string' && error !== '') return { code: INTERNAL_ERROR, message: error }
  if (!isObject(error) || Object.keys(error).length === 0) return null
  const { code: given, message, data } = error
  const code = typeof given === 'string' || typeof given === 'number' ? Number(given) : NaN
  return {
    code: Number.isSafeInteger(code) ? code : INTERNAL_ERROR,
    message: typeof message === 'string' ? message : JSON.stringify(message ?? error),
    ...(data !== undefined && { data }),
  }
}
