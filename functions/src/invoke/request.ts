import * as z from 'zod'
import type { Meta } from '@vitrine/core/log/entry'
import { checkJson, type JsonObject } from '@vitrine/core/json/value'
import { ARGS_BYTES_MAX, IDEMPOTENCY_KEY_LENGTH_MAX, TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import { parse } from '../http/parse.ts'
import { parseToolAddress, type ToolAddress } from './target.ts'

export interface InvokeRequest {
  address: ToolAddress
  args: JsonObject
  timeoutMs: number
  idempotencyKey: string | undefined
  /** ID token of the user that the call is made for. */
  userToken: string | undefined
}

/** Firebase's own have about 1,000 characters, custom claims included. */
const USER_TOKEN_LENGTH_MAX = 8_192

const schema = z.strictObject({
  name: z.string(),
  args: z.record(z.string(), z.unknown()).default({}),
  timeoutMs: z.number().int().min(1).default(TIMEOUT_MS_DEFAULT),
  idempotencyKey: z
    .string()
    .min(1)
    .max(IDEMPOTENCY_KEY_LENGTH_MAX)
    .refine((key) => key.isWellFormed(), 'Holds a lone surrogate.')
    .optional(),
  userToken: z.string().min(1).max(USER_TOKEN_LENGTH_MAX).optional(),
})

/** Errors: invalid_argument, invalid_name, args_too_large. A longer timeout than the longest is that. */
export function parseInvoke(data: unknown): Result<InvokeRequest> {
  const parsed = parse(schema, data)
  if (!parsed.ok) return parsed
  const { name, timeoutMs, idempotencyKey, userToken } = parsed.value
  const address = parseToolAddress(name)
  if (!address.ok) return address
  // zod rebuilds objects; the arguments are checked and forwarded as they came.
  const args = (data as { args?: unknown }).args ?? {}
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
