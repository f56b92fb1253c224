import type { IncomingMessage } from 'node:http'
import * as z from 'zod'
import { checkJson, type JsonObject } from '@vitrine/core/json/value'
import { jsonObject, sha256 } from '@vitrine/core/shapes'
import { isServerCommand, isToolName } from '@vitrine/core/names'
import type { CallBody, Sealed } from '@vitrine/core/policy/worker-protocol'
import { readJson } from '@vitrine/core/json/read'
import { fail, ok, type Result } from '@vitrine/core/result'

/** The body of a call. */

const sealed: z.ZodType<Sealed> = z.union([
  z.strictObject({ enc: z.base64(), kmsKey: z.string().max(512), resource: z.string().max(1_500) }),
  z.strictObject({ env: z.string().max(256) }),
  z.strictObject({ secretManager: z.string().max(512) }),
])

const shape = z.strictObject({
  call: z.string().min(1).max(256),
  server: z.string().refine(isToolName),
  command: z.string().refine(isServerCommand),
  pinned: sha256.optional(),
  arguments: jsonObject,
  timeoutMs: z.number().int().min(1),
  stream: z.boolean().optional(),
  user: z.string().min(1).max(256).optional(),
  userSecrets: z.record(z.string().max(128), sealed).optional(),
})

/**
 * Reads a call's body unchanged, because its token is bound to all of it. Errors: request_too_large, invalid_json,
 * invalid_argument, cancelled.
 */
export async function readCallBody(req: IncomingMessage): Promise<Result<CallBody>> {
  const json = await readJson(req)
  if (!json.ok) return json
  if (json.value === undefined) return fail('invalid_json')
  const parsed = shape.safeParse(json.value)
  if (!parsed.success)
    return fail('invalid_argument', undefined, { field: parsed.error.issues[0]?.path.join('.').slice(0, 100) })
  const args = checkJson(parsed.data.arguments, 'arguments')
  if (!args.ok) return args
  const { pinned, stream, user, userSecrets, ...rest } = parsed.data
  return ok({
    ...rest,
    arguments: args.value as JsonObject,
    ...(pinned !== undefined && { pinned }),
    ...(stream !== undefined && { stream }),
    ...(user !== undefined && { user }),
    ...(userSecrets && { userSecrets }),
  })
}
