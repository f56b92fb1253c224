import {
  StreamableHTTPClientTransport,
  type FetchLike,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type Transport,
} from '@modelcontextprotocol/client'
import type { ErrorCode } from '@vitrine/core/errors'
import { isObject, type JsonObject } from '@vitrine/core/json/value'
import { exchanges, newExchange, pass, type Exchange } from './exchange.ts'
import { withinMs } from '../../lib/within-ms.ts'
import { TAKEN } from '../../answers/read.ts'
import { probe, PROBE_MS } from './probe.ts'
import { progressOf } from './result.ts'

/** What the client gets where no answer will come. The code is none of JSON-RPC or MCP. */
const UNANSWERED = { code: 0, message: 'There is no answer.' }

type SendOptions = NonNullable<Parameters<StreamableHTTPClientTransport['send']>[1]>

/** How many requests of a server are answered while it works on a call. Each answer is a request to it, and the client offers nothing, so only pings should come. */
const ASKED_MAX = 16

/**
 * The SDK's streamable HTTP transport, watched: notes in the exchange what is asked and answered, and sees to it that every request ends.
 * (By itself the client waits for an answer even when the stream that was to bring it has ended.)
 */
export function exchangeTransport(url: URL, fetch: FetchLike): Transport & { terminateSession(): Promise<void> } {
  const inner = new StreamableHTTPClientTransport(url, {
    fetch,
    redirectPolicy: 'follow',
    onInsufficientScope: 'throw',
  })
  const outer: Transport & { terminateSession(): Promise<void> } = {
    hasPerRequestStream: true,
    get sessionId() {
      return inner.sessionId!
    },
    setProtocolVersion: (version) => inner.setProtocolVersion(version),
    start: () => inner.start(),
    close: () => inner.close(),
    terminateSession: () => inner.terminateSession(),
    send: async (message, { requestSignal, headers } = {}) => {
      const exchange = exchanges.getStore()
      if (!exchange) throw new Error('No call is under way.')
      // Answers and notifications are beside the exchange: what the server says to them is not the outcome. Some refuse
      // `notifications/initialized`, or leave it unanswered, and work all the same; where they don't, the next request shows it.
      if (!('method' in message && 'id' in message))
        return withinMs(
          PROBE_MS,
          exchanges.run(newExchange(exchange.lease), () => inner.send(message)).catch(() => undefined),
        )
      const options = { ...(requestSignal && { requestSignal }), ...(headers && { headers }) }
      const ask = (asking: Exchange) => exchanges.run(asking, () => request(asking, message, options))
      if (message.method !== 'server/discover') return ask(exchange)
      const answer = await probe(exchange, ask)
      outer.onmessage?.({ jsonrpc: '2.0', id: message.id, ...answer })
    },
  }
  /** Sends a request; what comes of it is in the exchange, and goes to whoever takes its answer. */
  async function request(exchange: Exchange, message: JSONRPCRequest, options: SendOptions): Promise<void> {
    const { id, method } = message
    Object.assign(exchange, {
      awaited: { id, method },
      answer: null,
      read: null,
      exact: null,
      errorText: null,
      eventStream: false,
    })
    const unanswered = (code: ErrorCode) => {
      if (exchange.awaited?.id !== id) return
      exchange.failure ??= code
      deliver(exchange, { jsonrpc: '2.0', id, error: UNANSWERED })
    }
    await inner.send(message, { ...options, onRequestStreamEnd: () => unanswered('upstream_interrupted') })
    if (!exchange.eventStream) unanswered('upstream_invalid')
  }
  function deliver(exchange: Exchange | undefined, message: JSONRPCMessage): void {
    if (exchange?.answered) exchange.answered()
    else outer.onmessage?.(message)
  }
  inner.onmessage = (message: JSONRPCMessage) => {
    const exchange = exchanges.getStore()
    if (!('method' in message)) return deliver(exchange, answerNoted(exchange, message))
    // Of what a server says unasked, progress alone is of interest, and that is not the client's business.
    if (!('id' in message))
      return message.method === 'notifications/progress' && exchange
        ? passProgress(exchange, message.params)
        : undefined
    if (exchange && exchange.asked++ < ASKED_MAX) outer.onmessage?.(message)
  }
  inner.onerror = (error) => outer.onerror?.(error)
  inner.onclose = () => outer.onclose?.()
  return outer
}

/** Keeps an answer in the exchange; what the client is to see of it. */
function answerNoted(exchange: Exchange | undefined, message: JSONRPCResponse): JSONRPCMessage {
  if (!exchange?.awaited || message.id !== exchange.awaited.id) return message
  const { id, method } = exchange.awaited
  const { exact } = exchange
  exchange.awaited = null
  if ('error' in message) {
    const data = isObject(exact?.['error']) ? exact['error']['data'] : undefined
    exchange.answer = { error: { ...message.error, ...(data !== undefined && { data }) } }
    return message
  }
  exchange.answer = { result: isObject(exact?.['result']) ? exact['result'] : (message.result as JsonObject) }
  return exchange.raw === method ? { jsonrpc: '2.0', id, result: TAKEN } : message
}

/** Progress of the very request that is awaited; a server that names another says nothing to this caller. */
function passProgress(exchange: Exchange, params: Record<string, unknown> = {}): void {
  if (exchange.emit === null || params['progressToken'] !== exchange.awaited?.id) return
  const piece = progressOf(params)
  if (piece !== null) pass(exchange, piece)
}
