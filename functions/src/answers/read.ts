import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { hasLiterals, parseJson } from '@vitrine/core/json/parse'
import { rpcAnswer } from '@vitrine/core/json/rpc-answer'
import { rpcMessage } from '@vitrine/core/json/rpc-message'
import { isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import { createScrubber, type Scrubber } from '@vitrine/core/scrub/scrub'
import type { Answer, AuthScheme } from '@vitrine/core/tool'
import { ANSWER_DEPTH_MAX, decoderFor, isDeeperThan, toAnswer, toResult } from './answer.ts'
import { kindOf, typeOf } from './media-type.ts'
import { bodyError } from '../egress/body.ts'
import { digestOf } from './digest.ts'
import { weightOf } from './json-weight.ts'

/** Reads a whole answer in one go. thread.ts runs these functions on what it is sent. */

/** An answer scrubbed and serialized where it was read: JSON in UTF-8, as the caller gets it. */
export interface SerializedAnswer {
  type: 'serialized'
  json: Uint8Array
  /** Places where the credential was replaced. */
  redactions: number
  /** See digestOf; empty unless one was requested. */
  resultDigest: string
}

/** Input and output of each kind of reading. */
export interface Readings {
  /** The body of an `http` tool's answer. */
  body: { unread: { contentType: string; bytes: Uint8Array }; read: SerializedAnswer }
  /** JSON-RPC messages; `id` is the id of the call. */
  mcp: { unread: Messages & { id: string | number }; read: ReadMessages }
  /** The messages of a tools worker. */
  worker: { unread: Messages; read: ReadMessages }
}

/** Messages as JSON in UTF-8: a body, or whole events of a stream (HTML Living Standard, section 9.2). */
export interface Messages {
  form: 'body' | 'events'
  bytes: Uint8Array
}

/** Messages without the result of the call. */
export interface ReadMessages {
  /**
   * The other messages, in the form they arrived in. Placeholders replace the result and anything outside the protocol.
   */
  rest: string
  /** The result of the call, if it was among the messages. */
  result: ReadResult | null
}

export interface ReadResult {
  /** The server's own verdict. */
  ok: boolean
  /** Null if the result is nested too deeply. */
  answer: SerializedAnswer | null
}

export interface Secrets {
  /** The arguments of createScrubber. */
  credential: string | null
  auth: AuthScheme
  /** Whether a digest of the result is wanted. */
  digested: boolean
}

export type Kind = keyof Readings
type ReadTaskOf<K extends Kind> = { kind: K; unread: Readings[K]['unread']; secrets: Secrets }
export type ReadTask = { [K in Kind]: ReadTaskOf<K> }[Kind]

/** Heap that one parsed answer may take; scrubbing and serializing it take about twice that again. */
export const PARSED_BYTES_MAX = 160 * 1024 * 1024
/** Length that the messages besides the result may have. */
const REST_LENGTH_MAX = 64 * 1024

/** The placeholder that settles the MCP client's request: the result itself was read here. */
export const TAKEN = { resultType: 'complete', content: [] }

/** Whether messages hold numbers that a client, which reads them as doubles, would change. */
export function holdLiterals(messages: Messages): boolean {
  return textsOf(messages).some(hasLiterals)
}

/** Those messages, with every digit (rpcMessage). */
export function messagesWithLiterals(messages: Messages): JsonObject[] {
  return textsOf(messages)
    .filter(hasLiterals)
    .flatMap((text) => [parsed(text)].flat())
    .filter((message) => isObject(message))
    .map((message) => rpcMessage(message) as JsonObject)
}

/** A result as nearly all servers write it, the only thing worth not to be looked at twice. */
const ORDINARY =
  /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*\d+\s*,\s*"result"\s*:\s*\{.*\}|"result"\s*:\s*\{.*\}\s*,\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*\d+)\s*\}\s*$/s
const isOrdinary = (text: string) => ORDINARY.test(text) && !/"error"\s*:/.test(text)

/** The same messages, with the answer to the request `id` as JSON-RPC has it (rpcAnswer). */
export function withAnswer({ form, bytes }: Messages, id: string | number): Uint8Array {
  const text = new TextDecoder().decode(bytes)
  const amendedOne = (one: JsonValue): JsonValue => {
    const message = rpcMessage(one)
    const answer = rpcAnswer(message, id)
    return answer === message ? one : answer
  }
  const amended = (json: string): string => {
    if (isOrdinary(json)) return json
    const read = parsed(json)
    const before = Array.isArray(read) && form === 'body' ? read : [read]
    const after = before.map(amendedOne)
    if (after.every((one, at) => one === before[at])) return json
    return JSON.stringify(before === read ? after : after[0])
  }
  if (form === 'body') {
    const body = amended(text)
    return body === text ? bytes : Buffer.from(body)
  }
  const events = eventsOf(text)
  const datas = events.map(({ data }) => amended(data))
  if (events.every(({ data }, at) => data === datas[at])) return bytes
  return Buffer.from(events.map(({ id: eventId }, at) => eventOf(eventId, datas[at]!)).join(''))
}

function textsOf({ form, bytes }: Messages): string[] {
  const text = new TextDecoder().decode(bytes)
  return form === 'body' ? [text] : eventsOf(text).map(({ data }) => data)
}

/** Throws a BodyError: upstream_too_large if reading would take too much memory. */
export async function read<K extends Kind>(task: ReadTaskOf<K>): Promise<Readings[K]['read']>
export async function read(task: ReadTask): Promise<Readings[Kind]['read']> {
  const { credential, auth, digested } = task.secrets
  const serialize = serializer(createScrubber(credential, auth), digested)
  switch (task.kind) {
    case 'body':
      return serialize(bodyOf(task.unread))
    case 'mcp':
      return messagesOf(task.unread, await mcpRest(task.unread.id, task.unread.form === 'body'), serialize)
    case 'worker':
      return messagesOf(task.unread, workerRest, serialize)
  }
}

type Serialize = (answer: Answer) => SerializedAnswer

function serializer(scrubber: Scrubber, digested: boolean): Serialize {
  return (answer) => {
    const scrubbed = scrubber.answer(answer)
    const result = toResult(scrubbed.answer)
    return {
      type: 'serialized',
      json: new TextEncoder().encode(JSON.stringify(result)),
      redactions: scrubbed.count,
      resultDigest: digested ? digestOf(result) : '',
    }
  }
}

function bodyOf({ contentType, bytes }: Readings['body']['unread']): Answer {
  const type = typeOf(contentType, bytes)
  if (kindOf(type) === 'json') checkWeight(decoderFor(type, bytes).decode(bytes))
  return toAnswer(contentType, bytes)
}

/** Reduces one message to what the client still needs, and passes the call's result to `note`. */
type Rest = (message: JsonValue, note: (result: JsonObject) => void) => JsonValue

async function mcpRest(id: string | number, isBatch: boolean): Promise<Rest> {
  const { parseJSONRPCMessage } = await import('@modelcontextprotocol/client')
  const restOf: Rest = (one, note) => {
    const message = parseJSONRPCMessage(rpcAnswer(rpcMessage(one), id))
    if ('result' in message && message.id === id) {
      note(message.result as JsonObject)
      return { jsonrpc: '2.0', id, result: TAKEN }
    }
    // The client offers no features, so it refuses any request of the server by its method alone.
    if ('method' in message && 'id' in message) return { jsonrpc: '2.0', id: message.id, method: message.method }
    return !('method' in message) || message.method === 'notifications/progress'
      ? (message as unknown as JsonObject)
      : null
  }
  return (whole, note) => {
    try {
      return isBatch && Array.isArray(whole)
        ? whole.map((one) => restOf(one, note)).filter((one) => one !== null)
        : restOf(whole, note)
    } catch {
      return null
    }
  }
}

const workerRest: Rest = (message, note) => {
  const result = isObject(message) ? message['result'] : undefined
  if (!isObject(result)) return rpcMessage(message)
  note(result)
  return { result: {} }
}

function messagesOf({ form, bytes }: Messages, restOf: Rest, serialize: Serialize): ReadMessages {
  let result: JsonObject | null = null
  const restIn = (json: string) => JSON.stringify(restOf(parsed(json), (first) => (result ??= first)))
  const text = new TextDecoder().decode(bytes)
  const rest =
    form === 'body'
      ? restIn(text)
      : eventsOf(text)
          .map(({ id, event = 'message', data }) => eventOf(id, event === 'message' ? restIn(data) : 'null'))
          .join('')
  if (rest.length > REST_LENGTH_MAX) throw bodyError('upstream_too_large')
  return { rest, result: result && resultOf(result, serialize) }
}

function eventsOf(text: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = []
  createParser({ onEvent: (event) => events.push(event) }).feed(text)
  return events
}

function eventOf(id: string | undefined, data: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}${data
    .split('\n')
    .map((line) => `data: ${line}\n`)
    .join('')}\n`
}

function resultOf(result: JsonObject, serialize: Serialize): ReadResult {
  return {
    ok: isGood(result),
    answer: isDeeperThan(result, ANSWER_DEPTH_MAX) ? null : serialize({ type: 'json', value: result }),
  }
}

/** Whether an MCP tool succeeded: it reports no error and does not ask for input (`input_required`, 2026-07-28). */
export function isGood(result: JsonObject): boolean {
  return result['isError'] !== true && (result['resultType'] ?? 'complete') === 'complete'
}

/** Null if the text is not JSON. */
function parsed(text: string): JsonValue {
  checkWeight(text)
  try {
    return parseJson(text)
  } catch {
    return null
  }
}

function checkWeight(text: string): void {
  if (weightOf(text) > PARSED_BYTES_MAX) throw bodyError('upstream_too_large')
}
