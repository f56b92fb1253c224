import { closeExchange, newExchange, type Exchange, type RpcAnswer } from './exchange.ts'
import { rpcErrorOf } from './outcome.ts'

/** How long a server may think about a question that it may not know; after that it is taken for one of the older revisions. */
export const PROBE_MS = 1_500

/** What the client hears of a server that does not know `server/discover`. */
const NOT_KNOWN: RpcAnswer = { error: { code: -32601, message: 'Not known.' } }

/**
 * Asks a server for its revisions (`server/discover`, MCP 2026-07-28). Servers and gateways of the older revisions answer a method that
 * they don't know as they like: refused, with an error, empty, as a web page, or never. All of that means the same: it is asked to
 * `initialize`, and what it says to that counts. So the question has an exchange of its own, and what goes wrong with it stays there.
 */
export async function probe(exchange: Exchange, ask: (probing: Exchange) => Promise<void>): Promise<RpcAnswer> {
  const { lease } = exchange
  const stop = new AbortController()
  const probing = newExchange({ ...lease, stop })
  const end = () => stop.abort(lease.stop.signal.reason)
  lease.stop.signal.addEventListener('abort', end, { once: true })
  const { promise: settled, resolve: settle } = Promise.withResolvers<void>()
  const timer = setTimeout(() => {
    exchange.silent = true
    settle()
  }, PROBE_MS)
  stop.signal.addEventListener('abort', () => settle(), { once: true })
  probing.answered = settle
  if (lease.stop.signal.aborted) end()
  ask(probing).catch(settle)
  await settled
  clearTimeout(timer)
  lease.stop.signal.removeEventListener('abort', end)
  exchange.status = probing.status
  closeExchange(probing)
  if (probing.answer === null) stop.abort()
  const error = rpcErrorOf(probing)
  return probing.answer ?? (error === null ? NOT_KNOWN : ({ error } as unknown as RpcAnswer))
}
