import type { LookupFunction } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { CALLS_PER_TOOL_MAX, RESPONSE_HEADERS_BYTES_MAX } from '@vitrine/core/limits'
import { logEgressRefusal } from '../lib/log.ts'
import { decideAnswer, decidePlace, portOf, type Refusal } from './decide.ts'
import { createLookup, type LookupAll } from './lookup.ts'
import type { EgressPolicy } from './policy.ts'
import { readInSlices } from './turns.ts'

/** Connections to tools, each dialled only after the egress policy allows its address. */

/** Code of the error of a connection to a blocked address; equals the ErrorCode it becomes. */
export const BLOCKED = 'blocked_url'

/**
 * Covers TCP and TLS. Shorter than the default deadline of a call, so that a dead host is told apart from a slow tool.
 */
const CONNECT_TIMEOUT_MS = 10_000
/**
 * Calls under way are limited per tool (CALLS_PER_TOOL_MAX), connections per origin. With room for the calls of two
 * tools, a tool whose calls all hang does not block another on the same host. The limit keeps the number of sockets
 * finite.
 */
const CONNECTIONS_PER_ORIGIN_MAX = 2 * CALLS_PER_TOOL_MAX
/**
 * Shorter than the idle timeout of common servers (5 s in Node): a request sent on a connection that is closing is
 * lost.
 */
const KEEP_ALIVE_MS = 4_000

/**
 * The connection pool that every request to a tool uses.
 *
 * A host is resolved here, once. One disallowed address in the answer (by the policy, and by whether plain http or TLS
 * is spoken) refuses the whole answer. Only a checked address is dialled, so a name cannot resolve differently in
 * between. Literal addresses never reach the lookup, so they are checked before, as ports are. Refusals fail with the
 * code `blocked_url`.
 *
 * It follows no redirects (egress/request.ts does) and uses no proxy of the environment. Plain HTTP/1.1 with one
 * request at a time per connection: a slow tool delays no other call, and giving up a call closes its connection. The
 * call's signal carries its deadline.
 */
export function createDispatcher({
  policy,
  lookup = createLookup(),
}: {
  policy: EgressPolicy
  lookup?: LookupAll
}): Agent {
  return new Agent({
    connect: guarded(policy, lookup),
    connections: CONNECTIONS_PER_ORIGIN_MAX,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: RESPONSE_HEADERS_BYTES_MAX,
  })
}

function guarded(policy: EgressPolicy, lookup: LookupAll): buildConnector.connector {
  // A lookup sees only the name, but the decision depends on the protocol, so each protocol has its own connector.
  const speaking = (protocol: string) =>
    buildConnector({ allowH2: false, timeout: CONNECT_TIMEOUT_MS, lookup: guardedLookup(protocol, policy, lookup) })
  const [plain, secure] = [speaking('http:'), speaking('https:')]
  return (target, callback) => {
    const verdict = decidePlace(target, policy)
    if (!verdict.allowed) return callback(blocked(verdict), null)
    const connect = target.protocol === 'https:' ? secure : plain
    connect(target, (error, socket) => {
      if (error) callback(error, null)
      else callback(null, readInSlices(socket))
    })
  }
}

/** Node asks for all addresses or for one, depending on its settings; the check always needs all. */
function guardedLookup(protocol: string, policy: EgressPolicy, lookup: LookupAll): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      const first = addresses?.[0]
      if (error || !first)
        return callback(error ?? Object.assign(new Error('The name has no address.'), { code: 'ENOTFOUND' }), '', 0)
      const verdict = decideAnswer(
        { protocol, hostname },
        addresses.map(({ address }) => address),
        policy,
      )
      if (!verdict.allowed) callback(blocked(verdict), '', 0)
      else if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

interface Blocked extends Error {
  code: typeof BLOCKED
  refusal: Refusal
}

function blocked(refusal: Refusal): Blocked {
  return Object.assign(new Error(`Blocked by the egress guard: ${refusal.reason}.`), {
    code: BLOCKED,
    refusal,
  } as const)
}

/** Logs why a request to `url` was blocked, if that is why it failed. */
export function logIfBlocked({ protocol, hostname, port }: URL, error: unknown): void {
  const { code, refusal } = error as Partial<Blocked>
  if (code !== BLOCKED || !refusal) return
  const { reason, address } = refusal
  logEgressRefusal({
    host: hostname,
    port: portOf({ protocol, port }),
    ...(address !== undefined && { address }),
    reason,
  })
}
