import type { Dispatcher } from 'undici'
import type { ErrorCode } from '@vitrine/core/errors'
import type { Answer } from '@vitrine/core/tool'
import type { EgressPolicy } from '../../egress/policy.ts'
import { header, headersPassedOn } from '../../egress/headers.ts'
import { type EgressFailure, guardedRequest } from '../../egress/request.ts'
import { inTurns } from '../../egress/turns.ts'
import { abortOf, unlessAborted } from '../../egress/abort.ts'
import { toAnswer } from '../../answers/answer.ts'
import { kindOf, typeOf } from '../../answers/media-type.ts'
import { toPieces } from '../../answers/pieces.ts'
import { bodyCodeOf, byteCollector, bytesMaxOf, collect, decoded } from '../../egress/body.ts'
import { buildRequest } from './build-request.ts'
import type { SerializedAnswer } from '../../answers/read.ts'
import type { Forward, ForwardOutcome, ForwardRequest } from '../forward.ts'

type Unanswered = Extract<ForwardOutcome, { answered: false }>

/** Code of the error with which a caller takes no more pieces. */
const CALLER_GONE = 'caller_gone'

/** What it costs to pass a piece on beside what its bytes have cost by then. */
const BYTES_OF_PIECE = 2048

/**
 * Calls `http` tools. Redirects are followed as egress/request.ts says. The body is decoded and bounded while it comes, and passed on in
 * pieces where they are asked for; whatever its status, it is the upstream's answer.
 */
export function httpForward({ dispatcher, egress }: { dispatcher: Dispatcher; egress: EgressPolicy }): Forward {
  return async (request) => {
    const { signal } = request
    if (signal.aborted) return { answered: false, status: 0, code: abortOf(signal), sent: false }
    const response = await responseOf(request, dispatcher, egress)
    if ('answered' in response) return response
    const status = response.statusCode
    try {
      const answer = await answerOf(request, response)
      const headers = headersPassedOn(response)
      return { answered: true, status, ok: status >= 200 && status < 300, ...(headers && { headers }), answer }
    } catch (error) {
      return { answered: false, status, code: signal.aborted ? abortOf(signal) : codeOf(error), sent: true }
    }
  }
}

async function responseOf(
  request: ForwardRequest,
  dispatcher: Dispatcher,
  egress: EgressPolicy,
): Promise<Dispatcher.ResponseData | Unanswered> {
  const { endpoint, args, credential, headers, scrubber, signal } = request
  try {
    const outgoing = buildRequest({ ...endpoint, headers: { ...endpoint.headers, ...headers } }, args, credential)
    return await guardedRequest(dispatcher, egress, { ...outgoing, scrubber, signal })
  } catch (error) {
    // A stored URL that registration should have refused fails before the request is one.
    if (!isEgressFailure(error)) return { answered: false, status: 0, code: 'internal', sent: false }
    const { code, sent, status, location } = error
    return { answered: false, status, code, sent, ...(location !== undefined && { location }) }
  }
}

function answerOf(
  { endpoint, emit, readLarge, signal }: ForwardRequest,
  response: Dispatcher.ResponseData,
): Promise<Answer | SerializedAnswer> {
  const contentType = header(response, 'content-type')
  const chunks = decoded(response.body, header(response, 'content-encoding'), bytesMaxOf(endpoint))
  const read = (bytes: Uint8Array) => readLarge?.('body', { contentType, bytes }) ?? toAnswer(contentType, bytes)
  if (!emit) return collect(chunks).then<Answer | SerializedAnswer>(read)
  return passOn(contentType, chunks, (piece) => unlessAborted(signal, emit(piece).catch(callerGone)), read)
}

/** Passes a body on as it comes, no faster than the pieces are taken; the answer that is left to give in the end. */
async function passOn(
  contentType: string,
  chunks: AsyncIterable<Uint8Array>,
  emit: NonNullable<ForwardRequest['emit']>,
  read: (whole: Uint8Array) => Answer | Promise<SerializedAnswer>,
): Promise<Answer | SerializedAnswer> {
  const { first, all } = await begun(chunks)
  const type = typeOf(contentType, first)
  const whole = kindOf(type) === 'json' ? byteCollector() : null
  const pieces = toPieces(type, whole === null ? all : tapped(all, whole.push))
  for await (const piece of inTurns(pieces, () => BYTES_OF_PIECE)) await emit(piece)
  return whole === null ? { type: 'json', value: null } : read(whole.take())
}

/** Waits for the first chunk, which shows what a body is that does not say so. */
async function begun(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ first: Uint8Array; all: AsyncIterable<Uint8Array> }> {
  const rest = chunks[Symbol.asyncIterator]()
  const { value: first } = await rest.next()
  const all = async function* () {
    if (first) yield first
    yield* { [Symbol.asyncIterator]: () => rest }
  }
  return { first: first ?? new Uint8Array(), all: all() }
}

async function* tapped<T>(items: AsyncIterable<T>, tap: (item: T) => void): AsyncGenerator<T, void, undefined> {
  for await (const item of items) {
    tap(item)
    yield item
  }
}

/** The caller takes no more pieces. */
function callerGone(): never {
  throw Object.assign(new Error('The pieces are not taken any more.'), { code: CALLER_GONE })
}

/** Why an answer broke off. */
function codeOf(error: unknown): ErrorCode {
  const { name, code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  if (code === CALLER_GONE) return 'cancelled'
  // Network errors carry a code, and undici's parser errors a name; anything else is our bug.
  return bodyCodeOf(error) ?? (code !== undefined || name === 'HTTPParserError' ? 'upstream_interrupted' : 'internal')
}

function isEgressFailure(error: unknown): error is EgressFailure {
  return error instanceof Error && 'code' in error && 'sent' in error && 'status' in error
}
