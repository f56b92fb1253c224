import type { IncomingMessage, ServerResponse } from 'node:http'
import { ERRORS } from '@vitrine/core/errors'
import { fail, ok, type Failure, type Result } from '@vitrine/core/result'
import { readJson } from './body.ts'
import './own-body.ts'

/** One request, free of HTTP: what handlers work on. */
export interface Call {
  /** The `data` field; anything JSON can hold. */
  data: unknown
  authorization: string | undefined
  /** Path below the function, without slashes at the ends: the operation of `admin`. */
  path: string
  /** Aborts with reason 'cancelled' when the caller goes away before the answer. */
  signal: AbortSignal
}

export type Handler = (call: Call) => Promise<Result<unknown>>

/** What functions-framework adds to a request. */
export type FrameworkRequest = IncomingMessage & { path?: string }

/**
 * Serves a handler under the Firebase callable protocol: `POST {data}` answers `{result}` or
 * `{error: {status, message, details: {code, retryable, …}}}` (https://firebase.google.com/docs/functions/callable-reference).
 * Firebase's own onCall is no use here: it rejects every bearer token that is not an ID token.
 */
export function callable(handler: Handler): (req: FrameworkRequest, res: ServerResponse) => Promise<void> {
  return async (req, res) => {
    const call = await readCall(req, res)
    if (!call.ok) return replyError(res, call.error)
    try {
      const result = await handler(call.value)
      if (result.ok) reply(res, 200, { result: result.value })
      else replyError(res, result.error)
    } catch (error) {
      replyError(res, unexpected(error))
    }
  }
}

/** The request of a call, whatever form its answer takes. */
export async function readCall(req: FrameworkRequest, res: ServerResponse): Promise<Result<Call>> {
  const data = await readData(req)
  if (!data.ok) return data
  const caller = new AbortController()
  res.once('close', () => {
    if (!res.writableEnded) caller.abort('cancelled')
  })
  const path = (req.path ?? '').replaceAll(/^\/+|\/+$/g, '')
  return ok({ data: data.value, authorization: req.headers.authorization, path, signal: caller.signal })
}

async function readData(req: FrameworkRequest): Promise<Result<unknown>> {
  if (req.method !== 'POST') return fail('method_not_allowed')
  const body = await readJson(req)
  if (!body.ok) return body
  if (!isObject(body.value) || !Object.hasOwn(body.value, 'data')) return fail('invalid_request')
  const extra = Object.keys(body.value).find((key) => key !== 'data')
  return extra === undefined ? ok(body.value['data']) : fail('invalid_request', `The body has an unknown field: ${extra.slice(0, 40)}.`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The caller learns nothing but the code; the log gets the stack, which never holds a credential (they are not in errors). */
export function unexpected(error: unknown): Failure {
  console.error(JSON.stringify({ severity: 'ERROR', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }))
  return { code: isTransient(error) ? 'unavailable' : 'internal' }
}

/** gRPC DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED and UNAVAILABLE: a Firestore or KMS that does not answer just now. */
function isTransient(error: unknown): boolean {
  return isObject(error) && [4, 8, 14].includes(error['code'] as number)
}

export function replyError(res: ServerResponse, { code, message, details }: Failure): void {
  const info = ERRORS[code]
  if (code === 'method_not_allowed') res.setHeader('allow', 'POST')
  const resetsAt = details?.['resetsAt']
  if (typeof resetsAt === 'string') {
    res.setHeader('retry-after', String(Math.max(1, Math.ceil((Date.parse(resetsAt) - Date.now()) / 1000))))
  }
  reply(res, info.http, {
    error: { status: info.callable, message: message ?? info.message, details: { code, retryable: info.retryable, ...details } },
  })
}

function reply(res: ServerResponse, status: number, body: unknown): void {
  if (res.destroyed) return
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  res.end(JSON.stringify(body))
}
