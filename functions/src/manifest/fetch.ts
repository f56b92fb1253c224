import type { Dispatcher } from 'undici'
import type { JsonValue } from '@vitrine/core/json-value'
import { MANIFEST_BYTES_MAX } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Endpoint } from '@vitrine/core/tool'
import type { EgressPolicy } from '../egress/policy.ts'
import { ANSWER_DEPTH_MAX, isDeeperThan } from '../forward/answer.ts'
import type { ForwardOutcome } from '../forward/forward.ts'
import { CLIENT_TIMEOUT_MS, mcpConnector, type Connection } from '../forward/mcp-connect.ts'
import { closeExchange, exchanges, giveUp, newExchange, openLease, unlessAborted, type Exchange } from '../forward/mcp-exchange.ts'
import { outcomeOf } from '../forward/mcp-outcome.ts'

const PAGES_MAX = 64
/** JSON-RPC: the server has no tools at all. */
const METHOD_NOT_FOUND = -32601

/** What an MCP server says it offers; the tools exactly as it sent them, so that a change of any field shows. */
export type Manifest = {
  protocolVersion: string
  server: { name: string; version: string } | null
  tools: JsonValue[]
}

export interface ManifestRequest {
  dispatcher: Dispatcher
  egress: EgressPolicy
  endpoint: Endpoint
  credential: string | null
  /** The deadline for all of it. */
  signal: AbortSignal
}

/**
 * Asks an MCP server for its tools, all pages. Never throws. Errors: the codes of calls to tools (`upstream_unreachable`,
 * `upstream_timeout`, …); upstream_invalid when the server refuses or answers in something else; upstream_too_large beyond
 * MANIFEST_BYTES_MAX or 64 pages.
 */
export async function fetchManifest({ dispatcher, egress, endpoint, credential, signal }: ManifestRequest): Promise<Result<Manifest>> {
  const exchange = newExchange(openLease(endpoint, credential), 'tools/list')
  const stop = () => giveUp(exchange.lease, signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    const connection = await unlessAborted(signal, mcpConnector({ dispatcher, egress }).connect(exchange))
    const tools = await exchanges.run(exchange, () => listTools(connection, exchange))
    if (connection.hasSession) await exchanges.run(exchange, () => connection.endSession()).catch(() => undefined)
    return tools.ok ? manifestOf(connection, tools.value) : tools
  } catch {
    return failed(outcomeOf(exchange, signal))
  } finally {
    signal.removeEventListener('abort', stop)
    closeExchange(exchange)
  }
}

async function listTools({ client }: Connection, exchange: Exchange): Promise<Result<JsonValue[]>> {
  const tools: JsonValue[] = []
  let cursor: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const request = { method: 'tools/list' as const, ...(cursor !== undefined && { params: { cursor } }) }
    // The result is taken on its way here; what matters is in the exchange.
    await client.request(request, { signal: exchange.lease.stop.signal, timeout: CLIENT_TIMEOUT_MS }).catch(() => undefined)
    const { answer } = exchange
    if (answer !== null && 'error' in answer && answer.error.code === METHOD_NOT_FOUND && page === 0) return ok(tools)
    if (answer === null || 'error' in answer) return failed(outcomeOf(exchange, exchange.lease.stop.signal))
    if (!Array.isArray(answer.result['tools']) || isDeeperThan(answer.result, ANSWER_DEPTH_MAX)) return fail('upstream_invalid')
    tools.push(...answer.result['tools'])
    if (Buffer.byteLength(JSON.stringify(tools)) > MANIFEST_BYTES_MAX) return fail('upstream_too_large', 'The list of tools is too large.')
    const next: JsonValue | undefined = answer.result['nextCursor']
    if (typeof next !== 'string') return ok(tools)
    cursor = next
  }
  return fail('upstream_too_large', `The list of tools has more than ${PAGES_MAX} pages.`)
}

function manifestOf({ client }: Connection, tools: JsonValue[]): Result<Manifest> {
  const server = client.getServerVersion()
  const manifest = {
    protocolVersion: client.getNegotiatedProtocolVersion() ?? '',
    server: server === undefined ? null : { name: server.name, version: server.version },
    tools,
  }
  return Buffer.byteLength(JSON.stringify(manifest)) > MANIFEST_BYTES_MAX ? fail('upstream_too_large', 'The manifest is too large.') : ok(manifest)
}

/** What the server said stays out of it: it may have repeated the credential. */
function failed(outcome: ForwardOutcome): Result<never> {
  if (!outcome.answered) return fail(outcome.code)
  return fail('upstream_invalid', outcome.status === 200 ? 'The server refused to list its tools.' : `The server answered with HTTP ${outcome.status}.`)
}
