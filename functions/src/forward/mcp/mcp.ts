import type { StandardSchemaV1 } from '@modelcontextprotocol/client'
import { abortOf } from '../../egress/abort.ts'
import type { Forward, ForwardOutcome, ForwardRequest } from '../forward.ts'
import { CLIENT_TIMEOUT_MS, type Connection } from './connect.ts'
import type { Connections } from './connections.ts'
import { allTaken, closeExchange, exchanges, giveUp, newExchange, openLease, type Exchange } from './exchange.ts'
import { isGone } from './gone.ts'
import { outcomeOf, rpcErrorOf } from './outcome.ts'

/** JSON-RPC error of revision 2026-07-28, before the call is begun: a header that disagrees with the body or is missing. */
const HEADER_MISMATCH = -32020

/** For the stand-in that the client gets for a result; it would otherwise look for a schema of its own, at some cost. */
const AS_SENT: StandardSchemaV1 = { '~standard': { version: 1, vendor: 'vitrine', validate: (value) => ({ value }) } }

/**
 * Calls `mcp` tools over streamable HTTP: `command` with `args` by tools/call.
 *
 * Connections (the revision agreed on, a session where the server has one) are shared by the calls of a registration, also at the same
 * time; credentials are not part of them. Results are passed on as the server sent them. A call is repeated only when the
 * server cannot have begun it: it did not know the session, or it refused the revision or the headers.
 */
export function mcpForward(connections: Connections): Forward {
  return async (request) => {
    const { command, signal } = request
    if (command === undefined) return { answered: false, status: 0, code: 'upstream_invalid', sent: false }
    if (signal.aborted) return { answered: false, status: 0, code: abortOf(signal), sent: false }
    const opened = await connections.open(request)
    if (!opened.ok) return opened.outcome
    const first = await callTool(opened.connection, request, command)
    if (!isGone(first, opened.connection) || signal.aborted) return outcomeOf(first, signal)

    connections.drop(request, opened.connection)
    const again = await connections.open(request)
    if (!again.ok) return afterAnswer(first, again.outcome)
    if (opened.connection.era === 'modern' && again.connection.era === 'modern') return outcomeOf(first, signal)
    return afterAnswer(first, outcomeOf(await callTool(again.connection, request, command), signal))
  }
}

async function callTool(connection: Connection, request: ForwardRequest, name: string): Promise<Exchange> {
  const exchange = await send(connection, request, name)
  if (rpcErrorOf(exchange)?.['code'] !== HEADER_MISMATCH || request.signal.aborted) return exchange
  if (!(await learnHeaders(connection, request, name)) || request.signal.aborted) return exchange
  const again = await send(connection, request, name)
  return { ...again, status: again.status || exchange.status, sent: true }
}

function send({ client, inHeaders }: Connection, request: ForwardRequest, name: string): Promise<Exchange> {
  const params = { name, arguments: request.args }
  const toolDefinition = inHeaders.get(name)
  return within(request, 'tools/call', (shared) => {
    const options = {
      ...shared,
      ...(request.headers && { headers: request.headers }),
      ...(request.emit && { onprogress: askedFor }),
    }
    return toolDefinition
      ? client.callTool(params, { ...options, toolDefinition })
      : client.request({ method: 'tools/call', params }, AS_SENT, options)
  })
}

async function learnHeaders(
  { client, inHeaders }: Connection,
  request: ForwardRequest,
  name: string,
): Promise<boolean> {
  let found = false
  await within(request, null, async (options) => {
    const tool = (await client.listTools(undefined, { ...options, cacheMode: 'refresh' })).tools.find(
      (listed) => listed.name === name,
    )
    if (tool) inHeaders.set(name, { name, inputSchema: tool.inputSchema })
    found = tool !== undefined
  })
  return found
}

/** Has the client ask for progress; it is taken on its way here, by the stream that it comes on. */
function askedFor(): void {}

/** Lets the client work under a lease for this request. How that ended is in the exchange. */
async function within(
  { endpoint, credential, scrubber, emit, readLarge, signal }: ForwardRequest,
  raw: Exchange['raw'],
  work: (options: { signal: AbortSignal; timeout: number }) => Promise<unknown>,
): Promise<Exchange> {
  const lease = openLease(endpoint, credential, scrubber, readLarge)
  const exchange = newExchange(lease, raw, emit)
  const stop = () => giveUp(lease, signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  // It may have aborted while a connection was waited for.
  if (signal.aborted) stop()
  await exchanges
    .run(exchange, async () => work({ signal: lease.stop.signal, timeout: CLIENT_TIMEOUT_MS }))
    .catch(() => undefined)
  await allTaken(exchange).catch(() => undefined)
  signal.removeEventListener('abort', stop)
  closeExchange(exchange)
  return exchange
}

/** An answer came before this outcome, so it can't be that none did. */
function afterAnswer(first: Exchange, outcome: ForwardOutcome): ForwardOutcome {
  return outcome.answered ? outcome : { ...outcome, status: outcome.status || first.status, sent: true }
}
