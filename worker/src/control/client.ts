import type { Answer, Input } from '@vitrine/core/api/contract'
import { isErrorCode, type ErrorCode } from '@vitrine/core/errors'
import type { DispatchKey } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Result } from '@vitrine/core/result'

/**
 * The control plane's function `worker`, one method per operation. Errors: the codes that it answers with, including
 * invalid_key for a revoked connector key; unavailable if it does not answer, or sends something else than an answer.
 */
export interface ControlClient {
  connect(data: Input<'worker/connect'>): Promise<Result<Answer<'worker/connect'>>>
  heartbeat(data: Input<'worker/heartbeat'>): Promise<Result<Answer<'worker/heartbeat'>>>
  report(data: Input<'worker/report'>): Promise<Result<unknown>>
  lockfile(data: Input<'worker/lockfile'>): Promise<Result<string>>
  keys(): Promise<Result<DispatchKey[]>>
  disconnect(data: { instanceId: string }): Promise<Result<unknown>>
}

export interface ControlClientOptions {
  /** Base URL of the functions. */
  url: string
  /** The connector key. It is sent in one header and used nowhere else. */
  key: string
}

const REQUEST_MS_MAX = 10_000
/** Waiting longer for the answer to `disconnect` would only keep the process alive. */
const FAREWELL_MS_MAX = 1_500

export function controlClient({ url, key }: ControlClientOptions): ControlClient {
  async function call<T>(operation: string, data: unknown, ms = REQUEST_MS_MAX): Promise<Result<T>> {
    try {
      const response = await fetch(`${url}/worker/${operation}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ data }),
        // The key must not be sent to any other address.
        redirect: 'error',
        signal: AbortSignal.timeout(ms),
      })
      return answerOf(response.status, (await response.json()) as unknown)
    } catch {
      // fetch's error may quote the request, and all that matters is that no answer came.
      return fail('unavailable', `The control plane does not answer ${operation}.`)
    }
  }
  return {
    connect: (data) => call('connect', data),
    heartbeat: (data) => call('heartbeat', data),
    report: (data) => call('report', data),
    async lockfile(data) {
      const answer = await call<Answer<'worker/lockfile'>>('lockfile', data)
      if (!answer.ok) return answer
      return typeof answer.value.lockfile === 'string'
        ? ok(answer.value.lockfile)
        : fail('unavailable', 'The control plane sent no lockfile.')
    },
    async keys() {
      const answer = await call<{ keys: DispatchKey[] }>('keys', {})
      return answer.ok ? ok(answer.value.keys) : answer
    },
    disconnect: (data) => call('disconnect', data, FAREWELL_MS_MAX),
  }
}

function answerOf<T>(status: number, body: unknown): Result<T> {
  const { result, error } = (body ?? {}) as {
    result?: unknown
    error?: { message?: unknown; details?: { code?: unknown } }
  }
  if (status === 200 && result !== undefined) return ok(result as T)
  const code: ErrorCode = isErrorCode(error?.details?.code)
    ? error.details.code
    : status === 401
      ? 'invalid_key'
      : 'unavailable'
  return fail(code, typeof error?.message === 'string' ? error.message.slice(0, 500) : undefined)
}
