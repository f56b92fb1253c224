import { isObject } from '@vitrine/core/json/value'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ERRORS } from '@vitrine/core/errors'
import { readJson } from '@vitrine/core/json/read'
import { fail, ok, type Failure, type Result } from '@vitrine/core/result'
import { logError, logRequest } from '../lib/log.ts'
import { eventStream, wantsEventStream } from './event-stream.ts'
import { endWithJson } from './raw-json.ts'

/** One request without its HTTP details, as handlers get it. */
export interface Call {
  /** The `data` field: any JSON value. */
  data: unknown
  authorization: string | undefined
  /** The path below the function, without slashes at the ends: the operation of `admin` or `worker`. */
  path: string
  /** Aborts with the reason 'cancelled' if the caller goes away before the answer. */
  signal: AbortSignal
  /**
   * Sends a piece of the answer at once and resolves when the next may follow. Present if the caller asked for a
   * stream.
   */
  emit?: (piece: unknown) => Promise<void>
}

export type Handler = (call: Call) => Promise<Result<object>>

/** What functions-framework adds to a request. */
export type FrameworkRequest = IncomingMessage & { path?: string }

/**
 * Serves a handler under the Firebase callable protocol: `POST {data}` is answered with `{result}` or
 * `{error: {status, message, details: {code, retryable, …}}}`, or in the protocol's streaming form if the request
 * accepts `text/event-stream` (https://firebase.google.com/docs/functions/callable-reference).
 * Requests are bounded by `bytesMax`, REQUEST_BYTES_MAX by default.
 * Firebase's own onCall cannot be used: it rejects every bearer token that is not an ID token.
 */
export function callable(
  name: string,
  handler: Handler,
  bytesMax?: number,
): (req: FrameworkRequest, res: ServerResponse) => Promise<void> {
  return (req, res) =>
    logRequest(name, req.headers, async () => {
      const stream = wantsEventStream(req.headers.accept) ? eventStream(res) : undefined
      const result = await readCall(req, res, bytesMax)
        .then((call) => (call.ok ? handler(stream ? { ...call.value, emit: stream.message } : call.value) : call))
        .catch(thrown)
      if (!result.ok) replyError(res, result.error, stream?.end)
      else if (stream) stream.end(200, { result: result.value })
      else reply(res, 200, { result: result.value })
      return result
    })
}

function thrown(error: unknown): Result<never> {
  return { ok: false, error: unexpected(error) }
}

/** Reads the request of a call, whatever form its answer takes. */
export async function readCall(req: FrameworkRequest, res: ServerResponse, bytesMax?: number): Promise<Result<Call>> {
  const data = await readData(req, bytesMax)
  if (!data.ok) return data
  const caller = new AbortController()
  res.once('close', () => {
    if (!res.writableEnded) caller.abort('cancelled')
  })
  const path = (req.path ?? '').replaceAll(/^\/+|\/+$/g, '')
  return ok({ data: data.value, authorization: req.headers.authorization, path, signal: caller.signal })
}

async function readData(req: FrameworkRequest, bytesMax?: number): Promise<Result<unknown>> {
  if (req.method !== 'POST') return fail('method_not_allowed')
  const body = await readJson(req, bytesMax)
  if (!body.ok) return body
  if (body.value === undefined) return fail('invalid_request', 'The body is empty; it must be {"data": {…}}.')
  if (!isObject(body.value) || !Object.hasOwn(body.value, 'data')) return fail('invalid_request')
  const extra = Object.keys(body.value).find((key) => key !== 'data')
  return extra === undefined
    ? ok(body.value['data'])
    : fail('invalid_request', `The body has an unknown field: ${extra.slice(0, 40)}.`)
}

/** The caller gets only the code. The log gets the stack, which never holds a credential: errors do not contain any. */
export function unexpected(error: unknown): Failure {
  logError(error instanceof Error ? (error.stack ?? error.message) : String(error))
  return { code: isTransient(error) ? 'unavailable' : 'internal' }
}

/** gRPC DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED and UNAVAILABLE: Firestore or KMS does not answer at present. */
function isTransient(error: unknown): boolean {
  return isObject(error) && [4, 8, 14].includes(error['code'] as number)
}

export function replyError(
  res: ServerResponse,
  { code, message, details }: Failure,
  send: Send = (status, body) => reply(res, status, body),
): void {
  const info = ERRORS[code]
  if (!res.headersSent) {
    if (code === 'method_not_allowed') res.setHeader('allow', 'POST')
    const retryAt = details?.['resetsAt'] ?? details?.['retryAt']
    if (typeof retryAt === 'string')
      res.setHeader('retry-after', String(Math.max(1, Math.ceil((Date.parse(retryAt) - Date.now()) / 1000))))
  }
  send(info.http, {
    error: {
      status: info.callable,
      message: message ?? info.message,
      details: { code, retryable: info.retryable, ...details },
    },
  })
}

type Body = { result: unknown } | { error: unknown }
type Send = (status: number, body: Body) => void

function reply(res: ServerResponse, status: number, body: Body): void {
  if (res.destroyed) return
  res.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  endWithJson(res, body)
}
