import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client'
import type { JsonObject } from '@vitrine/core/json/value'
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

/** A process that has ended may have written its last answers before; they are in the pipe for so long at most. */
const LAST_WORDS_MS = 100

export interface StdioTransport extends Transport {
  /**
   * Whom progress is told, by its token. It does not go through the SDK's client, which passes notifications on a moment later than answers
   * and so loses what is sent right before one.
   */
  readonly progress: Map<string, (progress: JsonObject) => void>
  /** The process was ended for a line that is too long. */
  readonly tooLong: boolean
}

/**
 * MCP's stdio transport (specification 2025-11-25, basic/transports) over the pipes of a process that is already there. Unlike the SDK's own
 * it bounds what it holds, ends a server that floods, and ends when the process does.
 */
export function stdioTransport(child: ServerProcess): StdioTransport {
  const waste = wasteBudget()
  /** Requests without an answer yet. */
  const awaited = new Set<unknown>()
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
      if ('method' in message && 'id' in message) awaited.add(message.id)
      if (awaited.size > AWAITED_MAX) awaited.delete(awaited.values().next().value)
      child.stdin.write(`${JSON.stringify(message)}\n`)
    },
    close: async () => {
      open = false
    },
  }

  function onLine(line: string): void {
    if (!open) return
    const message = parse(line)
    if (message !== null && !('method' in message) && awaited.delete(message.id)) return transport.onmessage?.(message)
    if (!waste.spend(line.length)) return end('flooded its stdout')
    if (message === null || !('method' in message)) return
    if ('id' in message || message.method === HEARD) transport.onmessage?.(message)
    else if (message.method === 'notifications/progress') onProgress(message.params ?? {})
  }
  function onProgress({ progressToken, ...progress }: Record<string, unknown>): void {
    transport.progress.get(String(progressToken))?.(progress as JsonObject)
  }
  /** There may be thousands of lines more in what has been read. */
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

/** The code of the answer that stands in for one that is no JSON-RPC; none of JSON-RPC or MCP. */
export const INVALID_ANSWER = 0

/** Notifications that are looked at, beside progress; all others cost their parsing and no more. */
const HEARD = 'notifications/tools/list_changed'

/**
 * The message in a line, no deeper than what is hashed and scrubbed; null for nothing of use (servers that print to stdout are wrong, but
 * many do). What should be an answer and is none becomes an error: without any its request would wait.
 */
function parse(line: string): JSONRPCMessage | null {
  if (!line.trimStart().startsWith('{')) return null
  try {
    const value = JSON.parse(line) as Record<string, unknown>
    if (value['jsonrpc'] !== '2.0') return null
    const isMessage = typeof value['method'] === 'string' || isResult(value['result']) || isRpcError(value['error'])
    if (isMessage && !isDeeperThan(value, CANONICAL_DEPTH_MAX)) return value as unknown as JSONRPCMessage
    return typeof value['id'] !== 'number'
      ? null
      : { jsonrpc: '2.0', id: value['id'], error: { code: INVALID_ANSWER, message: 'That is no JSON-RPC answer.' } }
  } catch {
    return null
  }
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1))
}

function isResult(result: unknown): boolean {
  return typeof result === 'object' && result !== null && !Array.isArray(result)
}

function isRpcError(error: unknown): boolean {
  return (
    isResult(error) && Number.isSafeInteger((error as RpcError).code) && typeof (error as RpcError).message === 'string'
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
