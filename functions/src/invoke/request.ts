import type { ParsedKey } from '@vitrine/core/keys/key'
import { checkJson, type JsonObject } from '@vitrine/core/json/value'
import { ARGS_BYTES_MAX, TIMEOUT_MS_MAX } from '@vitrine/core/limits'
import type { Meta } from '@vitrine/core/log/entry'
import { CALL_NAME, isServerCommand, isToolName, splitCallName } from '@vitrine/core/names'
import { fail, ok, type Result } from '@vitrine/core/result'
import { readAgentKey } from '../auth/bearer.ts'
import type { Call } from '../http/callable.ts'
import { parseRequest } from '../http/parse.ts'

/** Step 1 of an invocation: reads the request. Nothing is looked up. */

/** A tool's name as an agent writes it: `github`, or one command of an MCP server, `github__create_issue`. */
export interface ToolAddress {
  name: string
  command?: string
}

export interface InvokeRequest extends Pick<Call, 'signal' | 'emit'> {
  /** The agent's key. Its secret has not been compared yet. */
  key: ParsedKey
  address: ToolAddress
  args: JsonObject
  timeoutMs: number
  idempotencyKey: string | undefined
  /** ID token of the user that the call is made for. */
  userToken: string | undefined
}

/**
 * A timeout above the maximum is read as the maximum. Errors: unauthenticated, malformed_key, permission_denied, invalid_argument,
 * invalid_name, args_too_large.
 */
export function readRequest({ authorization, data, signal, emit }: Call): Result<InvokeRequest> {
  const key = readAgentKey(authorization)
  if (!key.ok) return key
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
    key: key.value,
    address: address.value,
    args: json.value as JsonObject,
    timeoutMs: Math.min(timeoutMs, TIMEOUT_MS_MAX),
    idempotencyKey,
    userToken,
    signal,
    ...(emit && { emit }),
  })
}

/** Errors: invalid_name. */
export function parseToolAddress(text: string): Result<ToolAddress> {
  return CALL_NAME.test(text) ? ok(splitCallName(text)) : fail('invalid_name', undefined, { field: 'name' })
}

/**
 * What an address may mean, the longest tool's name first: `my___echo` is `echo` of `my_`, if there is a tool of that name, and otherwise
 * `_echo` of `my`.
 */
export function readingsOf(address: ToolAddress): ToolAddress[] {
  const { name, command } = address
  const longer = command?.startsWith('_') ? { name: `${name}_`, command: command.slice(1) } : undefined
  return longer && isToolName(longer.name) && isServerCommand(longer.command) ? [longer, address] : [address]
}

export function commandMeta({ address: { command } }: InvokeRequest): Meta {
  return command === undefined ? {} : { command }
}
