import { AsyncLocalStorage } from 'node:async_hooks'
import type { RequestId } from '@modelcontextprotocol/client'
import type { ErrorCode } from '@vitrine/core/errors'
import type { JsonObject } from '@vitrine/core/json/value'
import { createScrubber, type Scrubber } from '@vitrine/core/scrub/scrub'
import type { Endpoint, Piece } from '@vitrine/core/tool'
import { unlessAborted } from '../../egress/abort.ts'
import type { ReadLarge } from '../../answers/large.ts'
import type { ReadResult } from '../../answers/read.ts'

/**
 * What one call may use. Connections outlive calls and are shared by them, so they hold none of this: it travels beside
 * them, in async context, and is wiped when the call ends.
 */
export interface Lease {
  endpoint: Endpoint
  credential: string | null
  /** Knows the credential, and goes with it. */
  scrubber: Scrubber | null
  /** See ForwardRequest; it knows the credential as well. */
  readLarge: ReadLarge | null
  /** Ends every request made under the lease. */
  stop: AbortController
  open: boolean
  /** Good for one request, which wipes it. */
  once: boolean
}

/** What happened under a lease so far, as the requests and answers passing by show it. */
export interface Exchange {
  lease: Lease
  /** HTTP status of the latest answer to a request, 0 while there was none. */
  status: number
  /** Body of the latest answer when its status says failure, if it is small. */
  errorText: string | null
  /** The latest answer is an event stream; `streaming` until that has ended. */
  eventStream: boolean
  streaming: boolean
  /** A request with the method below may have left. */
  sent: boolean
  /** The server left the question for its revisions unanswered (probe.ts). */
  silent: boolean
  /** Hears of the answer in the client's place. */
  answered: (() => void) | null
  /** Requests that the server has made of us. */
  asked: number
  /** The method whose result is for the caller alone. The client gets a stand-in, since it would check the result for nothing. */
  raw: 'tools/call' | 'tools/list' | null
  /** The request that is to be answered, and the answer to the latest one as the server sent it: no schema strips or refuses what it doesn't know. */
  awaited: { id: RequestId; method: string } | null
  answer: RpcAnswer | null
  /** That answer with every digit, where the client's reading changes some. */
  exact: JsonObject | null
  /** The result of that answer when it was too large to be read here. */
  read: ReadResult | null
  /** Why there will be no answer; nothing is sent any more. */
  failure: ErrorCode | null
  /** Takes progress as it comes; null where nobody asked for it. */
  emit: Emit | null
  /** Settles when all that has come so far is taken; never rejects. */
  taken: Promise<void>
}

type Emit = (piece: Piece) => Promise<void>

export type RpcAnswer = { result: JsonObject } | { error: RpcError }
export interface RpcError {
  code: number
  message: string
  data?: unknown
}

/** Long enough to tell an upstream that it may stop, and for the end of a stream whose answer has come. */
const PARTING_MS = 1_000

export const exchanges = new AsyncLocalStorage<Exchange>()

export function openLease(
  endpoint: Endpoint,
  credential: string | null,
  scrubber = createScrubber(credential, endpoint.auth),
  readLarge: ReadLarge | null = null,
): Lease {
  return { endpoint, credential, scrubber, readLarge, stop: new AbortController(), open: true, once: false }
}

export function newExchange(lease: Lease, raw: Exchange['raw'] = null, emit: Emit | null = null): Exchange {
  const nothingYet = {
    status: 0,
    errorText: null,
    eventStream: false,
    streaming: false,
    sent: false,
    silent: false,
    answered: null,
    asked: 0,
    awaited: null,
    answer: null,
    exact: null,
    read: null,
    failure: null,
  }
  return { lease, raw, ...nothingYet, emit, taken: Promise.resolve() }
}

/** Lets a piece be taken after those before it, while the call goes on. A caller who refuses one has gone away. */
export function pass(exchange: Exchange, piece: Piece): void {
  const { lease, emit } = exchange
  exchange.taken = exchange.taken
    .then(() => (lease.open && exchange.failure === null ? emit?.(piece) : undefined))
    .catch(() => {
      exchange.failure ??= 'cancelled'
      giveUp(lease, 'cancelled')
    })
}

/** Waits until the pieces that have come are taken, and no longer than the call may last. */
export function allTaken({ lease, taken }: Exchange): Promise<void> {
  return unlessAborted(lease.stop.signal, taken)
}

/** Ends a call: from now on nothing is sent for it, and the credential is gone. */
export function closeExchange({ lease, streaming }: Exchange): void {
  wipe(lease)
  // A server ends the stream right after the answer. Waiting for that keeps the connection; waiting for ever would keep the call.
  if (streaming) setTimeout(() => lease.stop.abort(), PARTING_MS).unref()
}

export function wipe(lease: Lease): void {
  lease.open = false
  lease.credential = null
  lease.scrubber = null
  lease.readLarge = null
}

/**
 * Gives a call up. A server of an older revision is told so by a notification, which the client sends while it aborts; it leaves
 * under a lease of its own, since that of the call ends here. Everywhere the connection is closed as well.
 */
export function giveUp(lease: Lease, reason: unknown): void {
  const stop = new AbortController()
  setTimeout(() => stop.abort(), PARTING_MS).unref()
  const parting = { ...lease, stop, once: true }
  exchanges.run(newExchange(parting), () => lease.stop.abort(reason))
}
