import type { JSONRPCMessage, JSONRPCResponse, Transport } from '@modelcontextprotocol/client'
import { withDoubles } from '@vitrine/core/json/map-scalars'
import { parseJson } from '@vitrine/core/json/parse'
import { rpcMessage } from '@vitrine/core/json/rpc-message'
import { isContainer, isObject, type JsonObject, type JsonValue } from '@vitrine/core/json/value'
import { CANONICAL_DEPTH_MAX } from '@vitrine/core/limits'
import {
  AWAITED_MAX,
  LINE_BYTES_MAX,
  STDIN_BYTES_MAX,
  WASTE_BYTES_MAX,
  WASTE_LINE_BYTES_MIN,
  WASTE_WINDOW_MS,
} from './bounds.ts'
import { lineSplitter } from './lines.ts'
import type { ServerProcess } from './processes.ts'

/** MCP's messages over the pipes of a server's process. */

/** How long to read the pipe after a process has ended, which may have written its last answers before. */
const LAST_WORDS_MS = 100

export interface StdioTransport extends Transport {
  /**
   * Listeners for progress, by its token. Progress bypasses the SDK's client, which delivers notifications later than
   * answers and so loses one that is sent right before an answer.
   */
  readonly progress: Map<string, (progress: JsonObject) => void>
  /** Whether the process was ended because of a line that was too long. */
  readonly tooLong: boolean
}

/**
 * MCP's stdio transport (specification 2025-11-25, basic/transports) for a running process. Unlike the SDK's transport,
 * it bounds its buffers, ends a server that floods, and closes when the process ends.
 */
export function stdioTransport(child: ServerProcess): StdioTransport {
  const waste = wasteBudget()
  /** The methods of requests that are not answered yet, by id. */
  const awaited = new Map<unknown, string>()
  let tooLong = false
  let open = true

  const transport: Omit<StdioTransport, 'tooLong'> = {
    progress: new Map(),
    start: async () => {
      child.stdout.on('data', lineSplitter({ bytesMax: LINE_BYTES_MAX, onLine, onLong }))
      child.stdout.on('error', () => undefined)
      void child.exited.then(async () => {
        await ended(child)
        transport.onclose?.()
      })
    },
    send: async (message) => {
      if (!open || child.stdin.destroyed) throw new Error('The server has ended.')
      if (child.stdin.writableLength > STDIN_BYTES_MAX) throw new Error('The server does not read what it is sent.')
      if ('method' in message && 'id' in message) awaited.set(message.id, message.method)
      if (awaited.size > AWAITED_MAX) awaited.delete(awaited.keys().next().value)
      child.stdin.write(`${JSON.stringify(message)}\n`)
    },
    close: async () => {
      open = false
    },
  }

  function onLine(line: string): void {
    if (!open) return
    const message = parse(line)
    if (message !== null && !('method' in message) && awaited.has(message.id)) return onAnswer(message)
    if (!waste.spend(line.length)) return end('flooded its stdout')
    if (message === null || !('method' in message)) return
    if ('id' in message || message.method === HEARD) transport.onmessage?.(message)
    else if (message.method === 'notifications/progress') onProgress(message.params ?? {})
  }
  function onAnswer(message: JSONRPCResponse): void {
    const isPassedOn = PASSED_ON.has(awaited.get(message.id) ?? '')
    awaited.delete(message.id)
    transport.onmessage?.(isPassedOn ? message : (withDoubles(message as JsonObject) as unknown as JSONRPCResponse))
  }
  function onProgress({ progressToken, ...progress }: Record<string, unknown>): void {
    transport.progress.get(String(progressToken))?.(progress as JsonObject)
  }
  /** Also closes the transport: the data already read may hold thousands of further lines. */
  function end(why: string): void {
    open = false
    child.kill(why)
  }
  function onLong(): void {
    tooLong = true
    end(`wrote a line of more than ${LINE_BYTES_MAX} bytes`)
  }
  return Object.defineProperty(transport, 'tooLong', { get: () => tooLong }) as StdioTransport
}

/** Requests whose results go to others, with every digit. The others are for the client, which knows doubles alone. */
const PASSED_ON = new Set(['tools/call', 'tools/list'])

/** The error code for an answer that is not JSON-RPC. JSON-RPC and MCP do not use it. */
export const INVALID_ANSWER = 0

/** The only notification besides progress that is handled; others are parsed and dropped. */
const HEARD = 'notifications/tools/list_changed'

/**
 * The message in a line, if it is not nested more deeply than hashing and scrubbing allow. Null for other lines, since
 * many servers print to stdout although they must not. An invalid answer becomes an error, because its request would
 * wait for ever without one.
 */
function parse(line: string): JSONRPCMessage | null {
  if (!line.trimStart().startsWith('{')) return null
  try {
    const value = rpcMessage(parseJson(line)) as JsonObject
    if (value['jsonrpc'] !== '2.0') return null
    const isMessage = typeof value['method'] === 'string' || isObject(value['result']) || isRpcError(value['error'])
    if (isMessage && !isDeeperThan(value, CANONICAL_DEPTH_MAX)) return value as unknown as JSONRPCMessage
    return typeof value['id'] !== 'number'
      ? null
      : { jsonrpc: '2.0', id: value['id'], error: { code: INVALID_ANSWER, message: 'That is no JSON-RPC answer.' } }
  } catch {
    return null
  }
}

function isDeeperThan(value: JsonValue, levels: number): boolean {
  if (!isContainer(value)) return false
  return levels === 0 || Object.values<JsonValue>(value).some((inner) => isDeeperThan(inner, levels - 1))
}

function isRpcError(error: JsonValue | undefined): boolean {
  return (
    isObject(error) && Number.isSafeInteger((error as RpcError).code) && typeof (error as RpcError).message === 'string'
  )
}

interface RpcError {
  code?: unknown
  message?: unknown
}

function ended({ stdout }: ServerProcess): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LAST_WORDS_MS)
    const done = () => {
      clearTimeout(timer)
      resolve()
    }
    if (stdout.readableEnded || stdout.destroyed) done()
    else stdout.once('end', done).once('close', done)
  })
}

function wasteBudget(): { spend(bytes: number): boolean } {
  let since = Date.now()
  let left = WASTE_BYTES_MAX
  return {
    spend(bytes) {
      if (Date.now() - since > WASTE_WINDOW_MS) {
        since = Date.now()
        left = WASTE_BYTES_MAX
      }
      left -= Math.max(bytes, WASTE_LINE_BYTES_MIN)
      return left >= 0
    },
  }
}
