import type { Dispatcher } from 'undici'
import type { JsonValue } from '@vitrine/core/json/value'
import { MANIFEST_BYTES_MAX } from '@vitrine/core/limits'
import { LIST_TOO_LARGE } from '@vitrine/core/policy/definition'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Endpoint } from '@vitrine/core/tool'
import type { EgressPolicy } from '../egress/policy.ts'
import { ANSWER_DEPTH_MAX, isDeeperThan } from '../answers/answer.ts'
import type { ForwardOutcome } from '../forward/forward.ts'
import { CLIENT_TIMEOUT_MS, mcpConnector, type Connection } from '../forward/mcp/connect.ts'
import { unlessAborted } from '../egress/abort.ts'
import {
  closeExchange,
  exchanges,
  giveUp,
  newExchange,
  openLease,
  type Exchange,
  type Lease,
} from '../forward/mcp/exchange.ts'
import { isGone } from '../forward/mcp/gone.ts'
import { outcomeOf } from '../forward/mcp/outcome.ts'

const PAGES_MAX = 64

/** What an MCP server says it offers. Tools are kept exactly as sent, so that a change of any field shows. */
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
  /** The deadline for all pages together. */
  signal: AbortSignal
}

/**
 * Asks an MCP server for its tools, all pages, over a connection of its own. Never throws. Errors: those of
 * `listManifest`.
 */
export async function fetchManifest({
  dispatcher,
  egress,
  endpoint,
  credential,
  signal,
}: ManifestRequest): Promise<Result<Manifest>> {
  return within(signal, openLease(endpoint, credential), async (exchange) => {
    const connection = await unlessAborted(signal, mcpConnector({ dispatcher, egress }).connect(exchange))
    const manifest = await exchanges.run(exchange, () => listTools(connection, exchange))
    if (connection.hasSession) await exchanges.run(exchange, () => connection.endSession()).catch(() => undefined)
    return manifest
  })
}

/**
 * Asks over an open connection, and says whether that is gone. Errors: the codes of calls to tools (`upstream_unreachable`, `upstream_timeout`, …);
 * upstream_invalid if the server refuses or does not answer with a list; upstream_too_large beyond MANIFEST_BYTES_MAX
 * or 64 pages.
 */
export async function listManifest(
  connection: Connection,
  lease: Lease,
  signal: AbortSignal,
): Promise<{ listed: Result<Manifest>; isGone: boolean }> {
  let asked: Exchange | undefined
  const listed = await within(signal, lease, (exchange) =>
    exchanges.run((asked = exchange), () => listTools(connection, exchange)),
  )
  return { listed, isGone: !listed.ok && asked !== undefined && isGone(asked, connection) }
}

async function within(
  signal: AbortSignal,
  lease: Lease,
  work: (exchange: Exchange) => Promise<Result<Manifest>>,
): Promise<Result<Manifest>> {
  const exchange = newExchange(lease, 'tools/list')
  const stop = () => giveUp(exchange.lease, signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    return await work(exchange)
  } catch {
    return notListed(outcomeOf(exchange, signal))
  } finally {
    signal.removeEventListener('abort', stop)
    closeExchange(exchange)
  }
}

/**
 * Ends at a cursor that was seen: a server that ignores cursors, or goes round in circles, has nothing more to say. What it says
 * again counts once.
 */
async function listTools(connection: Connection, exchange: Exchange): Promise<Result<Manifest>> {
  const tools: JsonValue[] = []
  let bytes = 0
  const listedBefore = new Set<string>()
  const cursors = new Set<string>()
  let cursor: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const request = { method: 'tools/list' as const, ...(cursor !== undefined && { params: { cursor } }) }
    // The lease intercepts the result, so the client's return value is not used.
    await connection.client
      .request(request, { signal: exchange.lease.stop.signal, timeout: CLIENT_TIMEOUT_MS })
      .catch(() => undefined)
    const { answer } = exchange
    if (answer === null || 'error' in answer) return notListed(outcomeOf(exchange, exchange.lease.stop.signal))
    const { tools: listed, nextCursor } = answer.result
    if (!Array.isArray(listed) || isDeeperThan(listed, ANSWER_DEPTH_MAX)) return fail('upstream_invalid')
    const texts = listed.map((tool) => JSON.stringify(tool))
    for (const [i, text] of texts.entries()) {
      if (listedBefore.has(text)) continue
      tools.push(listed[i]!)
      bytes += Buffer.byteLength(text) + 1
    }
    if (bytes > MANIFEST_BYTES_MAX) return fail('upstream_too_large', LIST_TOO_LARGE)
    if (typeof nextCursor !== 'string' || nextCursor === '' || cursors.has(nextCursor))
      return manifestOf(connection, tools)
    for (const text of texts) listedBefore.add(text)
    cursors.add(nextCursor)
    cursor = nextCursor
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
  return Buffer.byteLength(JSON.stringify(manifest)) > MANIFEST_BYTES_MAX
    ? fail('upstream_too_large', LIST_TOO_LARGE)
    : ok(manifest)
}

/**
 * The server's own message is left out: it may repeat the credential. `details.status` is that of an answer that says
 * nothing of the list, such as 401 or 503.
 */
export function notListed(outcome: ForwardOutcome): Result<never> {
  const { status } = outcome
  if (status >= 300)
    return fail(outcome.answered ? 'upstream_invalid' : outcome.code, `The server answered with HTTP ${status}.`, {
      status,
    })
  return outcome.answered ? fail('upstream_invalid', 'The server refused to list its tools.') : fail(outcome.code)
}
