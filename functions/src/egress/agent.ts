import type { LookupFunction } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { CALLS_PER_TOOL_MAX, RESPONSE_HEADERS_BYTES_MAX } from '@vitrine/core/limits'
import { logEgressRefusal } from '../lib/log.ts'
import { decideAnswer, decidePlace, portOf, type Refusal } from './decide.ts'
import { createLookup, type LookupAll } from './lookup.ts'
import type { EgressPolicy } from './policy.ts'
import { readInSlices } from './turns.ts'

/** Code of the error with which a connection to a blocked address fails; the same as the ErrorCode it becomes. */
export const BLOCKED = 'blocked_url'

/** TCP and TLS together. Below the default deadline of a call, so that a dead host is told apart from a slow tool. */
const CONNECT_TIMEOUT_MS = 10_000
/**
 * Calls under way are bounded by tool (CALLS_PER_TOOL_MAX), connections by origin. With room for two tools' calls, a tool that hangs in all of
 * its calls does not keep another on the same host waiting; other hosts have pools of their own. Finite, so that sockets are.
 */
const CONNECTIONS_PER_ORIGIN_MAX = 2 * CALLS_PER_TOOL_MAX
/** Shorter than the idle timeout of common servers (Node's is 5 s): a request on a connection that is being closed is lost. */
const KEEP_ALIVE_MS = 4_000

/**
 * The pool of connections through which every request to a tool goes.
 *
 * A host is resolved here, once; the whole answer is refused when one address in it is not for tools (by policy, and by whether plain
 * http or TLS will be spoken), and what is dialled is one of the addresses that were checked: a name cannot change its mind in
 * between. Literal addresses never reach the lookup, so they are checked before, as ports are. Refusals fail with the code `blocked_url`.
 *
 * No redirects are followed (egress/request.ts does), no proxy of the environment is used. Plain HTTP/1.1 with one request at a time on a
 * connection: a slow tool holds up nobody else's call, and giving a call up ends its connection. The deadline of a call is its signal's business.
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
  // A lookup is told the name alone, so there is a connector for each protocol that it decides about.
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

/** Node asks for all addresses or for one, depending on its settings; the check always wants all. */
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

/** Logs why a request to `url` was not let out, if that is why it failed. */
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
