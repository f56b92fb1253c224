import { header } from '../../egress/headers.ts'
import { createParser } from 'eventsource-parser'
import type { Dispatcher } from 'undici'
import { isErrorCode, type ErrorCode } from '@vitrine/core/errors'
import { isObject, type JsonValue } from '@vitrine/core/json/value'
import { BEHIND, type CallBody } from '@vitrine/core/policy/worker-protocol'
import { kindOf, mediaType } from '../../answers/media-type.ts'
import { abortOf, unlessAborted } from '../../egress/abort.ts'
import { logIfBlocked } from '../../egress/agent.ts'
import { bodyCodeOf, bytesMaxOf, collect, decoded, wholeEvents } from '../../egress/body.ts'
import type { ForwardOutcome, ForwardRequest } from '../forward.ts'
import { outcomeOfRead, outcomeOfResult, progressOf } from '../mcp/result.ts'

/** Offers a call to one worker: `POST /call`, and what its answer means. */

export interface Offered {
  outcome: ForwardOutcome
  /** Another worker may be asked: this one has not begun the call. */
  elsewhere: boolean
  /** No connection could be made. */
  isAbsent?: boolean
}

/** The worker is there, but has not heard yet that the policy has the tool. */
const NOT_YET: Offered = {
  elsewhere: true,
  outcome: { answered: false, status: 0, code: 'worker_absent', sent: false, isBehind: true },
}

export const ABSENT: ForwardOutcome = { answered: false, status: 0, code: 'worker_absent', sent: false }

/** What a worker says, and whether it had begun the call by then. Anything else that it says is upstream_invalid. */
const CODES: Partial<Record<ErrorCode, { begun: boolean; as?: ErrorCode; elsewhere?: true }>> = {
  upstream_interrupted: { begun: true },
  upstream_timeout: { begun: true },
  upstream_too_large: { begun: true },
  upstream_invalid: { begun: true },
  cancelled: { begun: true },
  upstream_unreachable: { begun: false, elsewhere: true },
  server_failed: { begun: false, elsewhere: true },
  tool_not_found: { begun: false },
  secret_missing: { begun: false },
  connection_required: { begun: false },
  kms_unavailable: { begun: false },
  credential_unreadable: { begun: false },
  args_invalid: { begun: false },
  manifest_changed: { begun: false, elsewhere: true },
  pin_mismatch: { begun: false, as: 'upstream_unreachable' },
  too_many_calls: { begun: false, elsewhere: true },
  unavailable: { begun: false, as: 'upstream_unreachable', elsewhere: true },
  unauthenticated: { begun: false, as: 'upstream_unreachable', elsewhere: true },
  invalid_key: { begun: false, as: 'upstream_unreachable', elsewhere: true },
}

/** `token` is for this worker and body alone. */
export async function offerTo(
  dispatcher: Dispatcher,
  worker: { url: string },
  token: string,
  body: CallBody,
  request: ForwardRequest,
): Promise<Offered> {
  const { signal } = request
  const url = new URL(`${worker.url}/call`)
  let response: Dispatcher.ResponseData
  try {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'accept-encoding': 'identity',
    }
    response = await unlessAborted(
      signal,
      dispatcher.request({
        origin: url.origin,
        path: url.pathname,
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        signal,
      }),
    )
  } catch (error) {
    if (signal.aborted) return ended({ answered: false, status: 0, code: abortOf(signal), sent: true })
    logIfBlocked(url, error)
    // Before a connection is made nothing can have been sent; afterwards there is no telling.
    const sent = !isConnectError(error)
    return sent
      ? ended({ answered: false, status: 0, code: 'upstream_interrupted', sent })
      : { elsewhere: true, isAbsent: true, outcome: ABSENT }
  }
  try {
    return await (kindOf(mediaType(header(response, 'content-type'))) === 'events'
      ? fromEvents(response, request)
      : fromJson(response, request))
  } catch (error) {
    const code = signal.aborted ? abortOf(signal) : (bodyCodeOf(error) ?? 'upstream_interrupted')
    return ended({ answered: false, status: code === 'upstream_too_large' ? 200 : 0, code, sent: true })
  }
}

const CONNECT_ERRORS = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'UND_ERR_CONNECT_TIMEOUT',
  'blocked_url',
])

function isConnectError(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isConnectError)
  const { code, cause } = error as { code?: unknown; cause?: unknown }
  return CONNECT_ERRORS.has(String(code)) || (cause instanceof Error && isConnectError(cause))
}

async function fromJson(response: Dispatcher.ResponseData, { endpoint, readLarge }: ForwardRequest): Promise<Offered> {
  const bytes = await collect(decoded(response.body, header(response, 'content-encoding'), bytesMaxOf(endpoint)))
  const { rest, result } = (await readLarge?.('worker', { form: 'body', bytes })) ?? {
    rest: Buffer.from(bytes).toString(),
    result: null,
  }
  return result === null ? judged(parsed(rest)) : ended(outcomeOfRead(result))
}

/** Passes progress on as it comes; what the last event says. */
async function fromEvents(
  response: Dispatcher.ResponseData,
  { endpoint, emit, readLarge }: ForwardRequest,
): Promise<Offered> {
  const events: JsonValue[] = []
  const parser = createParser({ onEvent: ({ data }) => void events.push(parsed(data)) })
  const decoder = new TextDecoder()
  for await (const bytes of wholeEvents(decoded(response.body, '', bytesMaxOf(endpoint)))) {
    const { rest, result } = (await readLarge?.('worker', { form: 'events', bytes })) ?? {
      rest: decoder.decode(bytes, { stream: true }),
      result: null,
    }
    parser.feed(rest)
    for (const event of events.splice(0)) {
      const progress = isObject(event) ? event['progress'] : undefined
      const piece = isObject(progress) ? progressOf(progress) : null
      if (piece === null) return result === null ? judged(event) : ended(outcomeOfRead(result))
      await emit?.(piece)
    }
  }
  return judged(undefined)
}

/** What a whole answer says; undefined when the stream ended without one. */
function judged(answer: JsonValue | undefined): Offered {
  if (answer === undefined) return ended({ answered: false, status: 0, code: 'upstream_interrupted', sent: true })
  if (isObject(answer) && isObject(answer['result'])) return ended(outcomeOfResult(answer['result']))
  const { code: error, details } = isObject(answer) && isObject(answer['error']) ? answer['error'] : {}
  if (error === 'tool_not_found' && isObject(details) && details['behind'] === BEHIND.behind) return NOT_YET
  const meaning = isErrorCode(error) ? CODES[error] : undefined
  if (!isErrorCode(error) || !meaning)
    return ended({ answered: false, status: 200, code: 'upstream_invalid', sent: true })
  const { begun, as = error, elsewhere = false } = meaning
  // A tool whose answer was too large has answered; of the others nothing has come, and the unit goes back.
  return {
    elsewhere,
    outcome: { answered: false, status: error === 'upstream_too_large' ? 200 : 0, code: as, sent: begun },
  }
}

function ended(outcome: ForwardOutcome): Offered {
  return { outcome, elsewhere: false }
}

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return null
  }
}
