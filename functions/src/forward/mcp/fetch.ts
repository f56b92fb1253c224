import { kindOf, mediaType, typeOf, type BodyKind } from '../../answers/media-type.ts'
import { messagesWithLiterals, withAnswer } from '../../answers/read.ts'
import { ReadableStream } from 'node:stream/web'
import type { FetchLike } from '@modelcontextprotocol/client'
import type { Dispatcher } from 'undici'
import { MANIFEST_BYTES_MAX } from '@vitrine/core/limits'
import type { EgressPolicy } from '../../egress/policy.ts'
import { header } from '../../egress/headers.ts'
import { type EgressFailure, guardedRequest, type OutgoingRequest } from '../../egress/request.ts'
import { turn } from '../../egress/turns.ts'
import { bodyCodeOf, bytesMaxOf, collect, decoded, wholeEvents, withLineEnds } from '../../egress/body.ts'
import { allTaken, exchanges, wipe, type Exchange, type Lease } from './exchange.ts'
import { buildRequest, type HttpRequest } from '../http/build-request.ts'

/** What the client looks at; the rest of the upstream's headers ends here. */
const HEADERS_READ = ['mcp-session-id', 'www-authenticate']
/** The client knows two types, and each by one spelling. */
const TYPES_READ: Partial<Record<BodyKind, string>> = { events: 'text/event-stream', json: 'application/json' }
const ERROR_TEXT_BYTES_MAX = 4096
/** Of an event stream, read at a time: some milliseconds of work when it is all small messages. */
const SLICE_BYTES = 16 * 1024
/** Of a body that is not the answer to a call, all of which is parsed here: a list of tools with white space and escapes, a handshake. */
const BODY_BYTES_MAX = 2 * MANIFEST_BYTES_MAX

/**
 * The fetch under the MCP client. It acts for the exchange in whose async context it is called: only the registered URL, with that
 * call's credential, until that call ends. Redirects are followed as egress/request.ts says, bodies are bounded after decoding. Outside of an
 * exchange nothing is sent.
 */
export function exchangeFetch(dispatcher: Dispatcher, egress: EgressPolicy): FetchLike {
  return async (url, init) => {
    const exchange = exchanges.getStore()
    if (!exchange?.lease.open || exchange.failure !== null) throw new Error('No call is under way.')
    const method = init?.method === 'POST' || init?.method === 'DELETE' ? init.method : 'GET'
    const headers = Object.fromEntries(new Headers(init?.headers))
    // A stream for what the server wants to say unasked would outlive the call; 405 is how a server says that it has none.
    if (method === 'GET' && headers['last-event-id'] === undefined) return new Response(null, { status: 405 })
    const response = await send(dispatcher, egress, exchange, url, {
      method,
      headers,
      body: typeof init?.body === 'string' ? init.body : null,
    })
    return method === 'POST' ? received(exchange, response) : body(exchange, response)
  }
}

type Outgoing = Pick<OutgoingRequest, 'method' | 'headers' | 'body'>

async function send(
  dispatcher: Dispatcher,
  egress: EgressPolicy,
  exchange: Exchange,
  url: string | URL,
  { method, headers, body }: Outgoing,
): Promise<Dispatcher.ResponseData> {
  const { lease } = exchange
  const outgoing = authorized(lease, url)
  const scrubber = lease.scrubber!
  if (lease.once) wipe(lease)
  const sentBefore = exchange.sent
  exchange.sent ||= method === 'POST' && exchange.raw !== null
  try {
    return await guardedRequest(dispatcher, egress, {
      ...outgoing,
      method,
      headers: { ...outgoing.headers, ...headers, 'accept-encoding': 'identity' },
      ownHeaders: { ...outgoing.ownHeaders, ...headers },
      body,
      scrubber,
      signal: lease.stop.signal,
    })
  } catch (error) {
    const { code, sent, status } = error as EgressFailure
    if (!sent) exchange.sent = sentBefore
    // Asking for the rest of a stream (GET) is tried again.
    if (method === 'POST')
      exchange.failure = code === 'upstream_unreachable' && exchange.status !== 0 ? 'upstream_interrupted' : code
    if (method === 'POST' && status !== 0) exchange.status = status
    throw error
  }
}

/** Where a request goes and what it says beside the protocol's own headers: static headers and the credential. */
function authorized({ endpoint, credential }: Lease, url: string | URL): HttpRequest {
  if (new URL(url).href !== new URL(endpoint.url).href) throw new Error('Not the registered URL.')
  return buildRequest({ ...endpoint, method: 'POST' }, {}, credential)
}

function received(exchange: Exchange, response: Dispatcher.ResponseData): Promise<Response> {
  exchange.status = response.statusCode
  exchange.errorText = null
  exchange.eventStream = isEventStream(response)
  return body(exchange, response)
}

async function body(exchange: Exchange, response: Dispatcher.ResponseData): Promise<Response> {
  const init = (bytes: Uint8Array = new Uint8Array()) => ({
    status: response.statusCode,
    headers: headersRead(response, bytes),
  })
  const bytesMax = bytesMaxOf(exchange.lease.endpoint)
  const chunks = failureNoted(
    exchange,
    decoded(
      response.body,
      header(response, 'content-encoding'),
      exchange.raw === 'tools/call' ? bytesMax : Math.min(bytesMax, BODY_BYTES_MAX),
    ),
  )
  if (isEventStream(response)) return new Response(ReadableStream.from(events(exchange, chunks)) as BodyInit, init())
  const bytes = await collect(chunks)
  if (response.statusCode >= 300 && bytes.length <= ERROR_TEXT_BYTES_MAX)
    exchange.errorText = Buffer.from(bytes).toString()
  const headers = init(bytes)
  const rest = bytes.length === 0 ? null : await withoutResult(exchange, 'body', bytes)
  return new Response(rest as BodyInit | null, headers)
}

/** The bytes of an event stream, as fast as what is in them is taken. */
async function* events(exchange: Exchange, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  exchange.streaming = true
  try {
    for await (const chunk of wholeEvents(withLineEnds(sliced(chunks)))) {
      yield await withoutResult(exchange, 'events', chunk)
      await allTaken(exchange)
      // The client reads all events of a chunk in one go. A server that sends without pause must not keep other calls waiting.
      await turn()
    }
  } finally {
    exchange.streaming = false
  }
}

/** Messages for the client; if they are too many bytes to be read here, without the result of the call, which is noted. */
async function withoutResult(exchange: Exchange, form: 'body' | 'events', bytes: Uint8Array): Promise<Uint8Array> {
  const { raw, awaited, lease } = exchange
  const reading =
    raw === 'tools/call' && awaited !== null ? lease.readLarge?.('mcp', { id: awaited.id, form, bytes }) : undefined
  if (reading === undefined) return exactNoted(exchange, form, bytes)
  try {
    const { rest, result } = await reading
    exchange.read ??= result
    return exactNoted(exchange, form, Buffer.from(rest))
  } catch (error) {
    exchange.failure ??= bodyCodeOf(error) ?? 'upstream_interrupted'
    throw error
  }
}

/** Messages that the client can read. It reads numbers as doubles, so an answer in which that changes digits is noted. */
function exactNoted(exchange: Exchange, form: 'body' | 'events', received: Uint8Array): Uint8Array {
  const { raw, awaited } = exchange
  if (awaited === null || exchange.status >= 300) return received
  const bytes = withAnswer({ form, bytes: received }, awaited.id)
  if (raw !== null) exchange.exact ??= messagesWithLiterals({ form, bytes }).find(({ id }) => id === awaited.id) ?? null
  return bytes
}

async function* sliced(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += SLICE_BYTES) yield chunk.subarray(at, at + SLICE_BYTES)
  }
}

/** The same chunks; why there will be no more is noted. */
async function* failureNoted(exchange: Exchange, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch (error) {
    exchange.failure ??= bodyCodeOf(error) ?? 'upstream_interrupted'
    throw error
  }
}

function isEventStream(response: Dispatcher.ResponseData): boolean {
  return response.statusCode === 200 && kindOf(mediaType(header(response, 'content-type'))) === 'events'
}

/** A body that was collected shows by its bytes what it is, where its type does not say so. */
function headersRead(response: Dispatcher.ResponseData, bytes: Uint8Array): [string, string][] {
  const type = typeOf(header(response, 'content-type'), bytes)
  return [
    ['content-type', TYPES_READ[kindOf(type)] ?? type.written] as [string, string],
    ...HEADERS_READ.map((name): [string, string] => [name, header(response, name)]),
  ].filter(([, value]) => value !== '')
}
