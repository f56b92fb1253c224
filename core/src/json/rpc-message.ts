import { withDoubles } from './map-scalars.ts'
import { isObject, type JsonObject, type JsonValue } from './value.ts'

/**
 * A message of JSON-RPC, or one of a tools worker, which look alike: its own numbers (id, code, progress) are doubles,
 * whatever they were spelled like. What it carries, `result` and `error.data`, keeps its number literals.
 */
export function rpcMessage(read: JsonValue): JsonValue {
  if (!isObject(read)) return withDoubles(read)
  const { result, error, ...own } = read
  const message: JsonObject = withDoubles(own)
  if (result !== undefined) message['result'] = result
  if (error !== undefined) message['error'] = withOwnData(error)
  return message
}

function withOwnData(error: JsonValue): JsonValue {
  if (!isObject(error)) return withDoubles(error)
  const { data, ...own } = error
  return { ...withDoubles(own), ...(data !== undefined && { data }) }
}
