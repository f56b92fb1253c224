import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { classifyAddress, classifyHost } from './address.ts'

/** Resolves a name to all its addresses, as `dns.lookup` does with `{all: true}`. */
export type LookupAll = (
  hostname: string,
  options: { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Code of the error with which a connection to a blocked address fails; the same as the ErrorCode it becomes. */
export const BLOCKED = 'blocked_url'

/** TCP and TLS together. Below the default deadline of a call, so that a dead host is told apart from a slow tool. */
const CONNECT_TIMEOUT_MS = 10_000
/** One instance serves at most 1,000 requests (Cloud Run), so no call ever waits for the connection of another. */
const CONNECTIONS_PER_ORIGIN_MAX = 1_000
/** Shorter than the idle timeout of common servers (Node's is 5 s): a request on a connection that is being closed is lost. */
const KEEP_ALIVE_MS = 4_000

/**
 * The pool of connections through which every request to a tool goes.
 *
 * Unless `allowPrivate` (demo projects alone), a host is resolved here, the whole answer is refused when one address in it is
 * not public, and what is dialled is one of the addresses that were checked: a name cannot change its mind in between. Literal
 * addresses never reach the lookup, so they are checked before. Refusals fail with the code `blocked_url`.
 *
 * No redirects are followed, no proxy of the environment is used. Plain HTTP/1.1 with one request at a time on a connection: a slow
 * tool holds up nobody else's call, and giving a call up ends its connection. The deadline of a call is its signal's business.
 */
export function createDispatcher(options: { allowPrivate: boolean; lookup?: LookupAll }): Agent {
  const lookup = options.lookup ?? systemLookup
  return new Agent({
    connect: options.allowPrivate ? connector(plainLookup(lookup)) : guarded(connector(guardedLookup(lookup))),
    connections: CONNECTIONS_PER_ORIGIN_MAX,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
}

function connector(lookup: LookupFunction): buildConnector.connector {
  return buildConnector({ allowH2: false, timeout: CONNECT_TIMEOUT_MS, lookup })
}

function guarded(connect: buildConnector.connector): buildConnector.connector {
  return (target, callback) => {
    const verdict = classifyHost(target.hostname)
    if (verdict.allowed) connect(target, callback)
    else callback(blocked(verdict.reason), null)
  }
}

function guardedLookup(lookup: LookupAll): LookupFunction {
  return plainLookup((hostname, options, callback) => {
    lookup(hostname, options, (error, addresses) => {
      const bad = error ? undefined : addresses.map(({ address }) => classifyAddress(address)).find((verdict) => !verdict.allowed)
      callback(bad ? blocked(bad.reason) : error, bad ? [] : addresses)
    })
  })
}

/** Node asks for all addresses or for one, depending on its settings; the check above always wants all. */
function plainLookup(lookup: LookupAll): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      const first = addresses?.[0]
      if (error || !first) callback(error ?? Object.assign(new Error('The name has no address.'), { code: 'ENOTFOUND' }), '', 0)
      else if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

function blocked(reason: string): Error {
  return Object.assign(new Error(`Blocked by the egress guard: ${reason}.`), { code: BLOCKED })
}
