import type { IncomingMessage } from 'node:http'
import type { JsonObject } from '@vitrine/core/json/value'
import { TIMEOUT_MS_MAX } from '@vitrine/core/limits'
import { BEHIND, LOG_COMMAND, type CallBody } from '@vitrine/core/policy/worker-protocol'
import type { CallClaims } from '@vitrine/core/policy/call-token'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Pool } from '../server/api.ts'
import { readCallBody } from './body.ts'
import type { SeenCalls } from './replay.ts'
import { boundTo, SKEW_SECONDS, type VerifyToken } from './token.ts'
import { areOfUser } from './user-secrets.ts'

/** Decides whether a call may be made, and makes it. */

export interface CallParts {
  verify: VerifyToken
  seen: SeenCalls
  /** Whether the current policy lets agents use this command. */
  isEnabled(server: string, command: string): boolean
  /** The organization of the current policy; null before there is one. */
  orgId(): string | null
  pool: Pick<Pool, 'call' | 'stderr'>
}

/**
 * Reads a call and checks that it may be made: verify the token, read the body, compare it with the token, refuse a
 * repeated call, and check that the command is enabled and the secrets are the user's. The token comes first, so that
 * only the control plane can make this process read a body.
 * Errors: unauthenticated, invalid_key, unavailable, those of `readCallBody`, tool_not_found, credential_unreadable.
 */
export async function admitCall(parts: CallParts, req: IncomingMessage): Promise<Result<CallBody>> {
  const signed = await readSigned(parts, req)
  if (!signed.ok) return signed
  const { server, command, user, userSecrets = {} } = signed.value
  if (!parts.isEnabled(server, command)) return fail('tool_not_found', undefined, BEHIND)
  return areOfUser(userSecrets, { orgId: parts.orgId(), user })
    ? signed
    : fail('credential_unreadable', "A secret of the call is not one of its user's.")
}

/**
 * The last lines that a server wrote to stderr. The control plane asks for them on behalf of the owner. Errors: as for
 * a call.
 */
export async function readLog(parts: CallParts, req: IncomingMessage): Promise<Result<{ lines: string[] }>> {
  const signed = await readSigned(parts, req)
  if (!signed.ok) return signed
  return signed.value.command === LOG_COMMAND
    ? ok({ lines: parts.pool.stderr(signed.value.server) })
    : fail('tool_not_found')
}

/** The body of a request that the control plane signed and that was not made before. */
async function readSigned(parts: CallParts, req: IncomingMessage): Promise<Result<CallBody>> {
  const claims = await parts.verify(req.headers.authorization)
  if (!claims.ok) return claims
  const body = await readCallBody(req)
  if (!body.ok) return body
  if (!boundTo(claims.value, body.value)) return fail('invalid_key', 'The token was made for another call.')
  const once = firstTime(parts.seen, claims.value)
  return once.ok ? body : once
}

function firstTime(seen: SeenCalls, { call, exp }: CallClaims): Result<void> {
  switch (seen.add(call, (exp + SKEW_SECONDS) * 1_000)) {
    case 'new':
      return ok(undefined)
    case 'seen':
      return fail('invalid_key', 'This call was made already.')
    case 'full':
      return fail('too_many_calls')
  }
}

/** Makes the call and aborts it at its deadline; `caller` aborts it when the client disconnects. */
export async function makeCall(
  { pool }: CallParts,
  { server, command, pinned, arguments: args, timeoutMs, user, userSecrets }: CallBody,
  caller: AbortController,
  onProgress?: (progress: JsonObject) => void,
): Promise<Result<JsonObject>> {
  const timer = setTimeout(() => caller.abort('timed out'), Math.min(timeoutMs, TIMEOUT_MS_MAX))
  try {
    const outcome = await pool.call({
      server,
      command,
      arguments: args,
      ...(pinned !== undefined && { pinned }),
      signal: caller.signal,
      ...(user !== undefined && { user }),
      ...(userSecrets && { userSecrets }),
      ...(onProgress && { onProgress }),
    })
    return outcome.ok ? ok(outcome.result) : fail(outcome.code, outcome.message)
  } finally {
    clearTimeout(timer)
  }
}
