import type { Dispatcher } from 'undici'
import type { ErrorCode } from '@vitrine/core/errors'
import type { Answer } from '@vitrine/core/tool'
import { BLOCKED } from '../egress/agent.ts'
import { abortOf, unlessAborted } from './abort.ts'
import { kindOf, toAnswer } from './answer.ts'
import { toPieces } from './answer-pieces.ts'
import { bodyCodeOf, byteCollector, bytesMaxOf, collect, decoded } from './body.ts'
import { buildRequest } from './request.ts'
import type { Forward, ForwardRequest } from './forward.ts'

/** What goes wrong before a response line has come, by the error's code; anything else of the network's is upstream_unreachable. */
const CODES_BEFORE_RESPONSE: Record<string, ErrorCode> = {
  [BLOCKED]: 'blocked_url',
  UND_ERR_HEADERS_OVERFLOW: 'upstream_too_large',
  // A stored URL, header or credential that registration should have refused.
  ERR_INVALID_URL: 'internal',
  UND_ERR_INVALID_ARG: 'internal',
}

const CALLER_GONE = 'caller_gone'

/**
 * Calls `http` tools. Redirects are not followed: a 3xx is the upstream's answer like any other, and the credential
 * goes to the registered origin alone. The body is decoded and bounded while it comes, and passed on in pieces where they are asked for.
 */
export function httpForward({ dispatcher }: { dispatcher: Dispatcher }): Forward {
  return async (request) => {
    const { signal } = request
    if (signal.aborted) return { answered: false, status: 0, code: abortOf(signal), sent: false }
    let status = 0
    try {
      const { endpoint, args, credential, headers } = request
      const outgoing = buildRequest({ ...endpoint, headers: { ...endpoint.headers, ...headers } }, args, credential)
      const response = await unlessAborted(signal, dispatcher.request({ ...outgoing, signal }))
      status = response.statusCode
      const answer = await answerOf(request, response)
      return { answered: true, status, ok: status >= 200 && status < 300, answer }
    } catch (error) {
      return { answered: false, status, code: signal.aborted ? abortOf(signal) : codeOf(error, status), sent: status !== 0 || wasSent(error) }
    }
  }
}

function answerOf({ endpoint, emit, signal }: ForwardRequest, response: Dispatcher.ResponseData): Promise<Answer> {
  const contentType = header(response, 'content-type')
  const chunks = decoded(response.body, header(response, 'content-encoding'), bytesMaxOf(endpoint))
  if (!emit) return collect(chunks).then((bytes) => toAnswer(contentType, bytes))
  return passOn(contentType, chunks, (piece) => unlessAborted(signal, emit(piece).catch(callerGone)))
}

/** Passes a body on as it comes, no faster than the pieces are taken; the answer that is left to give in the end. */
async function passOn(contentType: string, chunks: AsyncIterable<Uint8Array>, emit: NonNullable<ForwardRequest['emit']>): Promise<Answer> {
  const whole = kindOf(contentType) === 'json' ? byteCollector() : null
  for await (const piece of toPieces(contentType, whole === null ? chunks : noted(chunks, whole.push))) await emit(piece)
  return whole === null ? { type: 'json', value: null } : toAnswer(contentType, whole.take())
}

async function* noted<T>(items: AsyncIterable<T>, note: (item: T) => void): AsyncGenerator<T, void, undefined> {
  for await (const item of items) {
    note(item)
    yield item
  }
}

/** Whoever takes the pieces takes no more. */
function callerGone(): never {
  throw Object.assign(new Error('The pieces are not taken any more.'), { code: CALLER_GONE })
}

function codeOf(error: unknown, status: number): ErrorCode {
  const { name, code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  if (code === CALLER_GONE) return 'cancelled'
  const isNoHttp = name === 'HTTPParserError'
  // What the network does has a code, but for what undici cannot parse; anything else is a mistake of ours.
  if (code === undefined && !isNoHttp) return bodyCodeOf(error) ?? 'internal'
  if (status !== 0) return 'upstream_interrupted'
  if (code === undefined || isNoHttp) return 'upstream_invalid'
  return CODES_BEFORE_RESPONSE[code] ?? 'upstream_unreachable'
}

/** Whether any of the request may have left; so it is assumed where the error does not say. */
function wasSent(error: unknown): boolean {
  return !(error instanceof Error && 'sent' in error && error.sent === false)
}

/** A header of the response; repeated ones are joined, as RFC 9110 section 5.2 says. */
function header(response: Dispatcher.ResponseData, name: string): string {
  const value = response.headers[name]
  return Array.isArray(value) ? value.join(', ') : value ?? ''
}
