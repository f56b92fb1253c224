import { isIP } from 'node:net'
import { classifyAddress } from './address.ts'
import { classifyName } from './host-name.ts'
import { isOpenPort, type EgressPolicy } from './policy.ts'

/**
 * Decides where a request may go, without side effects: the same at registration, at every redirect and at every dial.
 */

/** A destination as parts of a WHATWG URL. `port` is empty for the protocol's default. */
export interface Place {
  protocol: string
  /** A name or an address, IPv6 with or without brackets. */
  hostname: string
  port: string
}

/**
 * `reason` and `address` (what a name resolved to) are for logs; `hint` is for the caller, when there is more to say
 * than that the URL is blocked.
 */
export type Verdict = { allowed: true } | Refusal
export type Refusal = { allowed: false; reason: string; hint?: string; address?: string }

const ALLOWED: Verdict = { allowed: true }
const PLAIN_HTTP = refused('plain http', 'Plain http is only for addresses that the operator allows; use https.')

export function portOf({ protocol, port }: Pick<Place, 'protocol' | 'port'>): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
}

/** The decision before a name is resolved; for a literal address it is final. */
export function decidePlace({ protocol, hostname, port }: Place, policy: EgressPolicy): Verdict {
  const number = portOf({ protocol, port })
  if (!isOpenPort(number, policy)) return refused('closed port', `Port ${number} is not one that tools may use.`)
  return decideHost(protocol, bare(hostname), policy)
}

/**
 * Whether a name may be dialled at the addresses it resolved to: all must be allowed. A local name may resolve only to
 * listed addresses. An empty answer is refused. decidePlace has checked the port.
 */
export function decideAnswer(
  { protocol, hostname }: Omit<Place, 'port'>,
  addresses: readonly string[],
  policy: EgressPolicy,
): Verdict {
  const name = decideHost(protocol, bare(hostname), policy)
  if (!name.allowed) return name
  if (addresses.length === 0) return refused('no address')
  const needsListed = classifyName(bare(hostname)) === 'local'
  for (const address of addresses) {
    const verdict = decideAddress(protocol, address, policy, needsListed)
    if (!verdict.allowed) return { ...verdict, address }
  }
  return ALLOWED
}

function decideHost(protocol: string, host: string, policy: EgressPolicy): Verdict {
  if (isIP(host) !== 0) return decideAddress(protocol, host, policy)
  const kind = classifyName(host)
  if (kind === 'metadata' || kind === 'invalid') return refused(`${kind} name`)
  const listIsEmpty = policy.allow.length === 0
  if (kind === 'local' && listIsEmpty) return refused('local name')
  return protocol === 'https:' || !listIsEmpty ? ALLOWED : PLAIN_HTTP
}

function decideAddress(protocol: string, address: string, policy: EgressPolicy, needsListed = false): Verdict {
  const verdict = classifyAddress(address, policy)
  if (!verdict.allowed) return refused(verdict.reason)
  if (verdict.reach === 'listed') return ALLOWED
  if (needsListed) return refused('local name of a public address')
  return protocol === 'https:' ? ALLOWED : PLAIN_HTTP
}

function bare(hostname: string): string {
  return hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname
}

function refused(reason: string, hint?: string): Verdict {
  return { allowed: false, reason, ...(hint !== undefined && { hint }) }
}
