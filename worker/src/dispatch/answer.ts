import type { ServerResponse } from 'node:http'
import { ERRORS } from '@vitrine/core/errors'
import type { JsonObject } from '@vitrine/core/json/value'
import type { CallAnswer } from '@vitrine/core/policy/worker-protocol'
import type { Failure, Result } from '@vitrine/core/result'

/** The worker's answers: JSON, errors, and server-sent events. */

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

export function replyJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  if (res.headersSent || res.destroyed) return
  res.writeHead(status, { ...COMMON, 'content-type': 'application/json; charset=utf-8', ...headers })
  res.end(JSON.stringify(body))
}

export function replyResult(res: ServerResponse, result: Result<JsonObject>): void {
  replyJson(res, result.ok ? 200 : ERRORS[result.error.code].http, answerOf(result))
}

/** Refuses a request whose body may be unread, and therefore closes the connection. */
export function refuse(res: ServerResponse, error: Failure): void {
  replyJson(res, ERRORS[error.code].http, answerOf({ ok: false, error }), { connection: 'close' })
}

/**
 * Server-sent events (HTML Living Standard, section 9.2) of a call: progress as it arrives, then the result or error.
 */
export function eventStream(res: ServerResponse): {
  progress(progress: JsonObject): void
  end(result: Result<JsonObject>): void
} {
  res.writeHead(200, { ...COMMON, 'content-type': 'text/event-stream; charset=utf-8' })
  res.flushHeaders()
  return {
    progress(progress) {
      // Skip progress that a slow reader can't take: only the end matters, and nothing may accumulate here.
      if (!res.writableNeedDrain && !res.writableEnded && !res.destroyed) res.write(event({ progress }))
    },
    end(result) {
      if (!res.destroyed) res.end(event(answerOf(result)))
    },
  }
}

function event(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

function answerOf(result: Result<JsonObject>): CallAnswer {
  if (result.ok) return { result: result.value }
  const { code, message = ERRORS[code].message, details } = result.error
  return { error: { code, message, ...(details && { details: details as JsonObject }) } }
}
