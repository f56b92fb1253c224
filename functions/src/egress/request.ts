import type { Dispatcher } from 'undici'
import type { ErrorCode } from '@vitrine/core/errors'
import { REDIRECTS_MAX, RESPONSE_HEADERS_BYTES_MAX, RESPONSE_HEADERS_MAX } from '@vitrine/core/limits'
import { fail, type Failure } from '@vitrine/core/result'
import type { Scrubber } from '@vitrine/core/scrub/scrub'
import { logEgressRefusal } from '../lib/log.ts'
import { abortOf, unlessAborted } from './abort.ts'
import { BLOCKED, logIfBlocked } from './agent.ts'
import { decidePlace, portOf } from './decide.ts'
import { FLOODED, flooded } from './flood.ts'
import type { EgressPolicy } from './policy.ts'
import { nextHop, type Hop } from './redirect.ts'
import { bodiesInTurns } from './turns.ts'

/** One request, and which of its parts may go where. Header names are in lower case. */
export interface OutgoingRequest {
  /** Where the registration says so, with the credential in path or query: it is not shown to anybody. */
  url: string
  method: Dispatcher.HttpMethod
  /** Harmless headers: those in KEPT_HEADERS survive a change of origin. */
  headers: Record<string, string>
  /**
   * Headers of the registration, the credential and this call. They override `headers` and are dropped at the first
   * change of origin.
   */
  ownHeaders: Record<string, string>
  /**
   * A credential that travels in the query; added to every URL of the first origin that has no parameter of this name.
   */
  queryCredential: { name: string; value: string } | null
  body: string | null
  /** Finds the credential in a Location. */
  scrubber: Pick<Scrubber, 'text'>
  /** The deadline of all hops together; `signal.reason` is a CallAbort. */
  signal: AbortSignal
}

/** The error that guardedRequest rejects with. */
export interface EgressFailure extends Error {
  code: ErrorCode
  /** False only if no request was written to any connection. */
  sent: boolean
  /** HTTP status of the last response, 0 if there was none. */
  status: number
  /** Where that response, a redirect that is not followed, leads; without the credential. */
  location?: string
}

/** What another origin may learn of a request: nothing that came from a registration or an argument. */
const KEPT_HEADERS = new Set(['accept', 'accept-encoding', 'content-type', 'user-agent', 'mcp-protocol-version'])
/** How much of a redirect's body is read, so that the connection can be used again. */
const REDIRECT_BODY_BYTES_MAX = 16 * 1024
const REDIRECT_BODY_MS_MAX = 1_000

/** Error codes before the response begins; any other network error is upstream_unreachable. */
const CODES: Record<string, ErrorCode> = {
  [BLOCKED]: 'blocked_url',
  [FLOODED]: 'upstream_too_large',
  UND_ERR_HEADERS_OVERFLOW: 'upstream_too_large',
  // A stored URL, header or credential that registration should have refused.
  ERR_INVALID_URL: 'internal',
  UND_ERR_INVALID_ARG: 'internal',
}

/** The state of a request across its hops. */
interface Journey {
  url: URL
  /**
   * True until the request leaves the first origin. The registration's headers and credential are not sent after that,
   * not even on a way back.
   */
  own: boolean
  sent: boolean
  status: number
}

/**
 * Sends every outgoing request. It follows up to REDIRECTS_MAX redirects itself, which repeat method and body; one that asks for another
 * method is not followed. Each hop's URL is checked like a registration's and dialled through the guard of `dispatcher`. A change of
 * origin drops the credential and all own headers, and is refused if the Location holds the credential. 300, 304 and a redirect without
 * a Location are answers.
 *
 * Resolves with the final response, whose body the caller must read or destroy. Rejects with an EgressFailure:
 * blocked_url, upstream_redirect (too many, or one that is not followed), upstream_too_large (more headers than
 * RESPONSE_HEADERS_MAX or RESPONSE_HEADERS_BYTES_MAX), upstream_unreachable, upstream_invalid (not HTTP), internal, or
 * the reason of the signal's abort.
 */
export async function guardedRequest(
  dispatcher: Dispatcher,
  policy: EgressPolicy,
  request: OutgoingRequest,
): Promise<Dispatcher.ResponseData> {
  const journey: Journey = {
    url: new URL(request.url),
    own: true,
    sent: false,
    status: 0,
  }
  for (let hops = 0; ; hops++) {
    const response = await send(dispatcher, request, journey)
    journey.status = response.statusCode
    const step = hasTooManyHeaders(response)
      ? fail('upstream_too_large')
      : nextHop(response, { url: journey.url, method: request.method }, policy)
    if (step.ok && step.value === null) return response
    discard(response)
    if (!step.ok) {
      if (step.error.code === 'blocked_url') logBlockedHop(step.error, request, policy)
      throw failure(step.error.code, journey, { location: shownLocation(step.error, request) })
    }
    if (hops === REDIRECTS_MAX || !follow(journey, step.value!, request)) throw failure('upstream_redirect', journey)
  }
}

/** Sends one hop. */
async function send(
  dispatcher: Dispatcher,
  request: OutgoingRequest,
  journey: Journey,
): Promise<Dispatcher.ResponseData> {
  const { signal } = request
  const { origin, pathname, search } = journey.own ? withCredential(journey.url, request.queryCredential) : journey.url
  const options = {
    origin,
    path: pathname + search,
    method: request.method,
    headers: headersOf(request, journey),
    body: request.body,
    signal,
  }
  try {
    signal.throwIfAborted()
    // undici heeds the signal only once the request is on the wire; unlessAborted also covers resolving and connecting.
    return await unlessAborted(signal, noticed(dispatcher, () => (journey.sent = true)).request(options))
  } catch (error) {
    if (!signal.aborted) logIfBlocked(journey.url, error)
    throw failure(signal.aborted ? abortOf(signal) : codeOf(error), journey, { cause: error })
  }
}

/** Leaves out the host if it holds the credential: a server may put the credential into a name. */
function logBlockedHop({ details }: Failure, { scrubber }: OutgoingRequest, policy: EgressPolicy): void {
  const { place, location } = details as { place: string; location: string }
  const url = new URL(place)
  const verdict = decidePlace(url, policy)
  if (verdict.allowed) return
  const isClean = [location, url.hostname].every((text) => scrubber.text(text).count === 0)
  logEgressRefusal({ ...(isClean && { host: url.hostname }), port: portOf(url), reason: verdict.reason })
}

/** Where the caller may go instead of us. A blocked place is the operator's affair. */
function shownLocation({ code, details }: Failure, { scrubber }: OutgoingRequest): string | undefined {
  if (code !== 'upstream_redirect' || !details) return undefined
  return scrubber.text(details['location'] as string).text
}

/** Moves on to the next hop. False if that would bring the credential to another origin. */
function follow(journey: Journey, next: Hop, { url, scrubber }: OutgoingRequest): boolean {
  const leaves = next.url.origin !== new URL(url).origin
  if (leaves && [next.location, next.url.href].some((text) => scrubber.text(text).count > 0)) return false
  journey.own &&= !leaves
  journey.url = next.url
  return true
}

function headersOf({ headers, ownHeaders }: OutgoingRequest, { own }: Journey): Record<string, string> {
  return own
    ? { ...headers, ...ownHeaders }
    : Object.fromEntries(Object.entries(headers).filter(([name]) => KEPT_HEADERS.has(name)))
}

function withCredential(url: URL, credential: OutgoingRequest['queryCredential']): URL {
  if (credential === null || url.searchParams.has(credential.name)) return url
  const pair = `${encodeURIComponent(credential.name)}=${encodeURIComponent(credential.value)}`
  const added = new URL(url)
  added.search = url.search.length > 1 ? `${url.search}&${pair}` : pair
  return added
}

/** Repeated headers count each time. */
function hasTooManyHeaders({ headers }: Dispatcher.ResponseData): boolean {
  const values = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((text) => name.length + text.length),
  )
  return (
    values.length > RESPONSE_HEADERS_MAX || values.reduce((sum, length) => sum + length, 0) > RESPONSE_HEADERS_BYTES_MAX
  )
}

function discard({ body }: Dispatcher.ResponseData): void {
  body.on('error', () => undefined)
  void body
    .dump({ limit: REDIRECT_BODY_BYTES_MAX, signal: AbortSignal.timeout(REDIRECT_BODY_MS_MAX) })
    .catch(() => undefined)
}

/** Honest servers send one or two; each costs far more than its bytes. */
const INTERIM_RESPONSES_MAX = 20
/** Chunks of a body (RFC 9112 section 7.1). The largest answer needs more only if its chunks are of a hundred bytes. */
const CHUNKS_MAX = 100_000

/**
 * Calls `onStart` when a request is about to be written, since errors alone do not tell whether it was. Ends a response
 * that stays at interim responses (RFC 9110 section 15.2) or has more chunks than any honest one.
 */
function noticed(dispatcher: Dispatcher, onStart: () => void): Dispatcher {
  return dispatcher.compose(bodiesInTurns, (dispatch) => (options, handler) => {
    let interim = 0
    let chunks = 0
    return dispatch(options, {
      onRequestStart: (controller, context) => {
        onStart()
        handler.onRequestStart?.(controller, context)
      },
      onResponseStart: (controller, status, ...rest) => {
        if (status < 200 && ++interim > INTERIM_RESPONSES_MAX)
          controller.abort(flooded('Interim responses without end.'))
        else handler.onResponseStart?.(controller, status, ...rest)
      },
      onResponseData: (controller, chunk) => {
        if (++chunks > CHUNKS_MAX) controller.abort(flooded('Too many chunks.'))
        else handler.onResponseData?.(controller, chunk)
      },
      onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
      onResponseError: (...args) => handler.onResponseError?.(...args),
    })
  })
}

function codeOf(error: unknown): ErrorCode {
  const { name, code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  if (name === 'HTTPParserError') return 'upstream_invalid'
  // Network errors carry a code; anything else is our bug.
  return code === undefined ? 'internal' : (CODES[code] ?? 'upstream_unreachable')
}

function failure(
  code: ErrorCode,
  { sent, status }: Journey,
  { cause, location }: { cause?: unknown; location?: string | undefined } = {},
): EgressFailure {
  const error = new Error(`The request failed: ${code}.`, { cause })
  return Object.assign(error, { code, sent, status, ...(location !== undefined && { location }) })
}
