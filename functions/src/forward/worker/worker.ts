import { header } from '../../egress/header.ts'
import { createParser } from 'eventsource-parser'
import { LRUCache } from 'lru-cache'
import type { Dispatcher } from 'undici'
import { isErrorCode, type ErrorCode } from '@vitrine/core/errors'
import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import { TIMEOUT_MS_MAX } from '@vitrine/core/limits'
import type { CallBody, Sealed, ServerState } from '@vitrine/core/policy/worker-protocol'
import type { Piece } from '@vitrine/core/tool'
import type { SignCall } from './token.ts'
import { abortOf, unlessAborted } from '../../egress/abort.ts'
import { logIfBlocked } from '../../egress/agent.ts'
import { ANSWER_DEPTH_MAX, isDeeperThan, kindOf } from '../../answers/answer.ts'
import { isGood } from '../../answers/read.ts'
import { bodyCodeOf, bytesMaxOf, collect, decoded, wholeEvents } from '../../egress/body.ts'
import type { Forward, ForwardOutcome, ForwardRequest } from '../forward.ts'
import { outcomeOfRead } from '../mcp/outcome.ts'

/** A worker that serves the policy and was seen lately. */
export interface LiveWorker {
  instanceId: string
  url: string
  /** Of the server that is meant; undefined before the worker has said anything of it. */
  state: ServerState | undefined
}

/** A server of a tool policy, and the workers that serve it. */
export interface ServedTool {
  policyId: string
  slug: string
  workers: LiveWorker[]
  /** The user that the call is made for. */
  user?: string
  /** Values of the user's variables, as ciphertext. */
  userSecrets?: Record<string, Sealed>
}

/** One call as the worker's token and body tell it. */
export interface WorkerCall {
  route: ServedTool
  agentId: string
  /** Id of the invocation. */
  call: string
  /** In milliseconds since 1970. */
  deadlineMs: number
}

/** Workers that one try of a call is offered to. */
const WORKERS_TRIED_MAX = 3
/** One that could not be connected to is asked last for so long: it may still be registered, and is never busy. */
const ABSENT_MS = 10_000
/** Addresses remembered as absent. */
const ABSENT_MAX = 1_000

const ABSENT: ForwardOutcome = { answered: false, status: 0, code: 'worker_absent', sent: false }

/** What a worker says, and whether it had begun the call by then. Anything else that it says is upstream_invalid. */
const CODES: Partial<Record<ErrorCode, { begun: boolean; as?: ErrorCode; elsewhere?: true }>> = {
  upstream_interrupted: { begun: true },
  upstream_timeout: { begun: true },
  upstream_too_large: { begun: true },
  upstream_invalid: { begun: true },
  cancelled: { begun: true },
  upstream_unreachable: { begun: false, elsewhere: true },
  tool_not_found: { begun: false },
  secret_missing: { begun: false },
  connection_required: { begun: false },
  kms_unavailable: { begun: false },
  credential_unreadable: { begun: false },
  args_invalid: { begun: false },
  pin_mismatch: { begun: false, as: 'upstream_unreachable' },
  too_many_calls: { begun: false, elsewhere: true },
  unavailable: { begun: false, as: 'upstream_unreachable', elsewhere: true },
  unauthenticated: { begun: false, as: 'upstream_unreachable', elsewhere: true },
  invalid_key: { begun: false, as: 'upstream_unreachable', elsewhere: true },
}

/** A server that is up first; one that failed is tried again by its worker, so it comes last but comes. */
const PREFERENCE: Record<string, number> = { ready: 0, starting: 1, unhealthy: 2, stopped: 1, failed: 3 }

/**
 * Calls tools of a policy at one of its workers. Calls are spread over those that live; one that cannot be connected to, or that says that it
 * did not begin, has the call offered to another. The token is of this try alone: a worker makes no call twice.
 */
export function workerForward({
  dispatcher,
  sign,
}: {
  dispatcher: Dispatcher
  sign: SignCall
}): (call: WorkerCall) => Forward {
  const underWay = new Map<string, number>()
  const absent = new LRUCache<string, true>({ max: ABSENT_MAX, ttl: ABSENT_MS })

  function note({ url }: LiveWorker, { isAbsent }: Offered): void {
    if (isAbsent) absent.set(url, true)
    else absent.delete(url)
  }

  async function offered(
    worker: LiveWorker,
    call: WorkerCall,
    body: CallBody,
    request: ForwardRequest,
  ): Promise<Offered> {
    underWay.set(worker.url, (underWay.get(worker.url) ?? 0) + 1)
    try {
      const token = await sign({
        policyId: call.route.policyId,
        instanceId: worker.instanceId,
        agentId: call.agentId,
        body,
      })
      return await post(dispatcher, worker, token, body, request)
    } catch {
      // The key that signs could not be published.
      return { elsewhere: false, outcome: { answered: false, status: 0, code: 'unavailable', sent: false } }
    } finally {
      const left = underWay.get(worker.url)! - 1
      if (left === 0) underWay.delete(worker.url)
      else underWay.set(worker.url, left)
    }
  }

  return (call) => {
    let tries = 0
    return async (request) => {
      const { route } = call
      let last = ABSENT
      for (const worker of inOrder(route.workers, {
        underWay,
        isAbsent: ({ url }) => absent.has(url),
      }).slice(0, WORKERS_TRIED_MAX)) {
        if (request.signal.aborted) return { answered: false, status: 0, code: abortOf(request.signal), sent: false }
        const tried = await offered(worker, call, bodyOf(call, request, ++tries), request)
        note(worker, tried)
        // What a worker said tells more than that another is not there.
        if (!tried.isAbsent) last = tried.outcome
        if (!tried.elsewhere) break
      }
      return last
    }
  }
}

interface Seen {
  underWay: ReadonlyMap<string, number>
  isAbsent(worker: LiveWorker): boolean
}

/** Those that are there first, of these the ready ones, of these the least busy, of these by chance. */
function inOrder(workers: readonly LiveWorker[], { underWay, isAbsent }: Seen): LiveWorker[] {
  return workers
    .map((worker) => ({
      worker,
      absence: Number(isAbsent(worker)),
      preference: PREFERENCE[worker.state ?? 'starting']!,
      busy: underWay.get(worker.url) ?? 0,
      chance: Math.random(),
    }))
    .sort((a, b) => a.absence - b.absence || a.preference - b.preference || a.busy - b.busy || a.chance - b.chance)
    .map(({ worker }) => worker)
}

function bodyOf(
  { route, call, deadlineMs }: WorkerCall,
  { command = '', args, emit }: ForwardRequest,
  nth: number,
): CallBody {
  const { slug, user, userSecrets } = route
  return {
    call: nth === 1 ? call : `${call}.${nth}`,
    server: slug,
    command,
    arguments: args,
    timeoutMs: Math.min(TIMEOUT_MS_MAX, Math.max(1, deadlineMs - Date.now())),
    ...(emit && { stream: true }),
    ...(user !== undefined && { user }),
    ...(userSecrets && { userSecrets }),
  }
}

interface Offered {
  outcome: ForwardOutcome
  /** Another worker may be asked: this one has not begun the call. */
  elsewhere: boolean
  /** No connection could be made. */
  isAbsent?: boolean
}

async function post(
  dispatcher: Dispatcher,
  worker: LiveWorker,
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
    return await (kindOf(header(response, 'content-type')) === 'events'
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
  const events: unknown[] = []
  const parser = createParser({ onEvent: ({ data }) => void events.push(parsed(data)) })
  const decoder = new TextDecoder()
  for await (const bytes of wholeEvents(decoded(response.body, '', bytesMaxOf(endpoint)))) {
    const { rest, result } = (await readLarge?.('worker', { form: 'events', bytes })) ?? {
      rest: decoder.decode(bytes, { stream: true }),
      result: null,
    }
    parser.feed(rest)
    for (const event of events.splice(0)) {
      const piece = isObject(event) ? progressOf(event['progress']) : null
      if (piece === null) return result === null ? judged(event) : ended(outcomeOfRead(result))
      await emit?.(piece)
    }
  }
  return judged(undefined)
}

/** MCP `notifications/progress`; null for anything that ends the call. */
function progressOf(progress: unknown): Piece | null {
  if (!isObject(progress) || typeof progress['progress'] !== 'number') return null
  const { total, message } = progress
  return {
    type: 'progress',
    progress: progress['progress'],
    ...(typeof total === 'number' && { total }),
    ...(typeof message === 'string' && { message }),
  }
}

function judged(answer: unknown): Offered {
  if (answer === undefined) return ended({ answered: false, status: 0, code: 'upstream_interrupted', sent: true })
  if (
    isObject(answer) &&
    isObject(answer['result']) &&
    !isDeeperThan(answer['result'] as JsonValue, ANSWER_DEPTH_MAX)
  ) {
    const result = answer['result'] as JsonObject
    return ended({ answered: true, status: 200, ok: isGood(result), answer: { type: 'json', value: result } })
  }
  const error = isObject(answer) && isObject(answer['error']) ? answer['error']['code'] : undefined
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
