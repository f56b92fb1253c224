import type { JsonObject, JsonValue } from '@vitrine/core/json-value'
import { createScrubber, type Scrubber } from '@vitrine/core/scrub'
import type { Answer, AuthScheme } from '@vitrine/core/tool'
import { ANSWER_DEPTH_MAX, decoderFor, isDeeperThan, kindOf, toAnswer, toResult } from './answer.ts'
import { bodyError } from './body.ts'
import { digestOf } from './digest.ts'
import type { SerializedAnswer } from './forward.ts'
import { weightOf } from './json-weight.ts'
import { isGood } from './mcp-outcome.ts'

/** Reading an answer to the end in one go: what answer-thread.ts does, as functions of what it is sent. */

/** What can be read, by kind, and what comes of it. */
export interface Readings {
  /** The body of an `http` tool's answer. */
  body: { unread: { contentType: string; bytes: Uint8Array }; read: SerializedAnswer }
  /** JSON-RPC messages in UTF-8, as they may come as a body (a batch too) or in an event; `id` is the one of the call. */
  mcp: { unread: { id: string | number; batch: boolean; bytes: Uint8Array }; read: ReadMessage }
  /** What a tools worker says, in UTF-8. */
  worker: { unread: { bytes: Uint8Array }; read: ReadMessage }
}

/** A message without the result of the call. */
export interface ReadMessage {
  /** As JSON, with a stand-in for the result; empty where there is none, or it was not the protocol. */
  rest: string
  /** The call's result, where it was in it. */
  result: ReadResult | null
}

export interface ReadResult {
  /** The server's own verdict. */
  ok: boolean
  /** null for one that is nested too deep. */
  answer: SerializedAnswer | null
}

export interface Secrets {
  /** As createScrubber wants them. */
  credential: string | null
  auth: AuthScheme
  /** Whether a digest of the result is wanted. */
  digested: boolean
}

export type Kind = keyof Readings
export type ReadTask = { [K in Kind]: { kind: K; unread: Readings[K]['unread']; secrets: Secrets } }[Kind]

/** Heap that one answer may take when it is parsed; scrubbing and serializing it take about twice that again. */
export const PARSED_BYTES_MAX = 160 * 1024 * 1024
/** Of a message, what may be left beside the result of a call. */
const REST_LENGTH_MAX = 64 * 1024

/** What the MCP client gets in place of a result that is not for it: it settles the request, for well or ill. */
export const TAKEN = { resultType: 'complete', content: [] }

/** Throws a BodyError: upstream_too_large for what would take too much memory. */
export async function read(task: ReadTask): Promise<Readings[Kind]['read']> {
  const { credential, auth, digested } = task.secrets
  const serialize = serializer(createScrubber(credential, auth), digested)
  switch (task.kind) {
    case 'body':
      return serialize(bodyOf(task.unread))
    case 'mcp':
      return messagesOf(task.unread, serialize)
    case 'worker':
      return workerMessageOf(task.unread, serialize)
  }
}

type Serialize = (answer: Answer) => SerializedAnswer

function serializer(scrubber: Scrubber, digested: boolean): Serialize {
  return (answer) => {
    const scrubbed = scrubber.answer(answer)
    const result = toResult(scrubbed.answer)
    return { type: 'serialized', json: new TextEncoder().encode(JSON.stringify(result)), redactions: scrubbed.count, resultDigest: digested ? digestOf(result) : '' }
  }
}

function bodyOf({ contentType, bytes }: Readings['body']['unread']): Answer {
  if (kindOf(contentType) === 'json') checkWeight(decoderFor(contentType, bytes).decode(bytes))
  return toAnswer(contentType, bytes)
}

async function messagesOf({ id, batch, bytes }: Readings['mcp']['unread'], serialize: Serialize): Promise<ReadMessage> {
  const { parseJSONRPCMessage } = await import('@modelcontextprotocol/client')
  const whole = parsed(bytes)
  let result: ReadResult | null = null
  const rest: JsonValue[] = []
  try {
    for (const one of batch && Array.isArray(whole) ? whole : [whole]) {
      const message = parseJSONRPCMessage(one)
      if ('result' in message && message.id === id && result === null) {
        result = resultOf(message.result as JsonObject, serialize)
        rest.push({ jsonrpc: '2.0', id, result: TAKEN })
      } else if (!('method' in message)) {
        rest.push(message as unknown as JsonObject)
      } else if ('id' in message) {
        // A request of the server's; the client offers nothing that would look at its parameters.
        rest.push({ jsonrpc: '2.0', id: message.id, method: message.method })
      } else if (message.method === 'notifications/progress') {
        rest.push(message as unknown as JsonObject)
      }
    }
  } catch {
    return { rest: '', result: null }
  }
  return { rest: rest.length === 0 ? '' : restOf(batch ? rest : rest[0]!), result }
}

function workerMessageOf({ bytes }: Readings['worker']['unread'], serialize: Serialize): ReadMessage {
  const message = parsed(bytes)
  const { result } = isObject(message) ? message : {}
  return isObject(result) ? { rest: '{}', result: resultOf(result, serialize) } : { rest: restOf(message), result: null }
}

function resultOf(result: JsonObject, serialize: Serialize): ReadResult {
  return { ok: isGood(result), answer: isDeeperThan(result, ANSWER_DEPTH_MAX) ? null : serialize({ type: 'json', value: result }) }
}

function restOf(value: JsonValue): string {
  const text = JSON.stringify(value)
  if (text.length > REST_LENGTH_MAX) throw bodyError('upstream_too_large')
  return text
}

function parsed(bytes: Uint8Array): JsonValue {
  const text = new TextDecoder().decode(bytes)
  checkWeight(text)
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return null
  }
}

function checkWeight(text: string): void {
  if (weightOf(text) > PARSED_BYTES_MAX) throw bodyError('upstream_too_large')
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
