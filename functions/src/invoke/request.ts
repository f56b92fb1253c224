import { parseRequest } from '../http/parse.ts'
import type { Meta } from '@vitrine/core/log/entry'
import { checkJson, type JsonObject } from '@vitrine/core/json/value'
import { ARGS_BYTES_MAX, TIMEOUT_MS_MAX } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import { parseToolAddress, type ToolAddress } from './target.ts'

export interface InvokeRequest {
  address: ToolAddress
  args: JsonObject
  timeoutMs: number
  idempotencyKey: string | undefined
  /** ID token of the user that the call is made for. */
  userToken: string | undefined
}

/** Errors: invalid_argument, invalid_name, args_too_large. A longer timeout than the longest is that. */
export function parseInvoke(data: unknown): Result<InvokeRequest> {
  const parsed = parseRequest('invokeTool', data)
  if (!parsed.ok) return parsed
  const { name, args, timeoutMs, idempotencyKey, userToken } = parsed.value
  const address = parseToolAddress(name)
  if (!address.ok) return address
  const json = checkJson(args)
  if (!json.ok) return json
  if (Buffer.byteLength(JSON.stringify(args)) > ARGS_BYTES_MAX)
    return fail('args_too_large', undefined, { field: 'args' })
  return ok({
    address: address.value,
    args: json.value as JsonObject,
    timeoutMs: Math.min(timeoutMs, TIMEOUT_MS_MAX),
    idempotencyKey,
    userToken,
  })
}

export function commandMeta({ address: { command } }: InvokeRequest): Meta {
  return command === undefined ? {} : { command }
}
