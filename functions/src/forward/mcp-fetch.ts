import type { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import type { FetchLike } from '@modelcontextprotocol/client'
import type { Dispatcher } from 'undici'
import type { ErrorCode } from '@vitrine/core/errors'
import { RESPONSE_BYTES_MAX } from '@vitrine/core/limits'
import { BLOCKED } from '../egress/agent.ts'
import { decode, readAll } from './body.ts'
import { exchanges, wipe, type Exchange, type Lease } from './mcp-exchange.ts'
import { buildRequest } from './request.ts'

/** What the client looks at; the rest of the upstream's headers ends here. */
const HEADERS_READ = ['content-type', 'mcp-session-id', 'www-authenticate']
const ERROR_TEXT_BYTES_MAX = 4096

/** What goes wrong before a response line has come, by the error's code; anything else is upstream_unreachable. */
const CODES_BEFORE_RESPONSE: Record<string, ErrorCode> = { [BLOCKED]: 'blocked_url', UND_ERR_HEADERS_OVERFLOW: 'upstream_too_large' }

/**
 * The fetch under the MCP client. It acts for the exchange in whose async context it is called: only the registered URL, with that
 * call's credential, until that call ends. Redirects are not followed and bodies are bounded after decoding. Outside of an exchange
 * nothing is sent.
 */
export function exchangeFetch(dispatcher: Dispatcher): FetchLike {
  return async (url, init) => {
    const exchange = exchanges.getStore()
    if (!exchange?.lease.open || exchange.failure !== null) throw new Error('No call is under way.')
    const method = init?.method === 'POST' || init?.method === 'DELETE' ? init.method : 'GET'
    const headers = Object.fromEntries(new Headers(init?.headers))
    // A stream for what the server wants to say unasked would outlive the call; 405 is how a server says that it has none.
    if (method === 'GET' && headers['last-event-id'] === undefined) return new Response(null, { status: 405 })
    const response = await send(dispatcher, exchange, url, { method, headers, body: typeof init?.body === 'string' ? init.body : null })
    return method === 'POST' ? received(exchange, response) : body(exchange, response)
  }
}

type Outgoing = Pick<Dispatcher.RequestOptions, 'method'> & { headers: Record<string, string>; body: string | null }

async function send(dispatcher: Dispatcher, exchange: Exchange, url: string | URL, { method, headers, body }: Outgoing): Promise<Dispatcher.ResponseData> {
  const { lease } = exchange
  const target = authorized(lease, url)
  if (lease.once) wipe(lease)
  try {
    return await dispatcher.request({
      origin: target.origin,
      path: target.path,
      method,
      headers: { ...target.headers, ...headers, 'accept-encoding': 'identity' },
      body,
      signal: lease.stop.signal,
    })
  } catch (error) {
    // Asking for the rest of a stream (GET) is tried again.
    if (method === 'POST') exchange.failure = exchange.status === 0 ? codeOf(error) : 'upstream_interrupted'
    throw error
  }
}

/** Where a request goes and what it says beside the protocol's own headers: static headers and the credential. */
function authorized({ endpoint, credential }: Lease, url: string | URL): { origin: string; path: string; headers: Record<string, string> } {
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
  const init = { status: response.statusCode, headers: headersRead(response) }
  if (isEventStream(response)) {
    if (header(response, 'content-encoding') !== '') throw failed(exchange, 'upstream_invalid')
    return new Response(ReadableStream.from(events(exchange, response.body)) as BodyInit, init)
  }
  const bytes = await whole(exchange, response)
  if (response.statusCode >= 300 && bytes.length <= ERROR_TEXT_BYTES_MAX) exchange.errorText = Buffer.from(bytes).toString()
  return new Response(bytes.length === 0 ? null : bytes as BodyInit, init)
}

async function whole(exchange: Exchange, response: Dispatcher.ResponseData): Promise<Uint8Array> {
  const raw = await readAll(response.body, RESPONSE_BYTES_MAX).catch(() => {
    throw failed(exchange, 'upstream_interrupted')
  })
  const bytes = raw.ok ? await decode(raw.value, header(response, 'content-encoding'), RESPONSE_BYTES_MAX) : raw
  if (!bytes.ok) throw failed(exchange, bytes.error.code)
  return bytes.value
}

/** The bytes of an event stream, as many as an answer may have in all. */
async function* events(exchange: Exchange, stream: Readable): AsyncGenerator<Uint8Array> {
  let size = 0
  exchange.streaming = true
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > RESPONSE_BYTES_MAX) throw failed(exchange, 'upstream_too_large')
      yield chunk
    }
  } finally {
    exchange.streaming = false
  }
}

function failed(exchange: Exchange, code: ErrorCode): Error {
  exchange.failure ??= code
  return new Error(code)
}

function codeOf(error: unknown): ErrorCode {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code.startsWith('HPE_')) return 'upstream_invalid'
  return CODES_BEFORE_RESPONSE[code] ?? 'upstream_unreachable'
}

function isEventStream(response: Dispatcher.ResponseData): boolean {
  return response.statusCode === 200 && header(response, 'content-type').split(';', 1)[0]!.trim().toLowerCase() === 'text/event-stream'
}

function headersRead(response: Dispatcher.ResponseData): [string, string][] {
  return HEADERS_READ.map((name): [string, string] => [name, header(response, name)]).filter(([, value]) => value !== '')
}

function header(response: Dispatcher.ResponseData, name: string): string {
  const value = response.headers[name]
  return Array.isArray(value) ? value.join(', ') : value ?? ''
}
