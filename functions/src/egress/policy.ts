import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** A range of addresses in ipaddr.js's form: an address in it and the length of its prefix in bits. */
export type Cidr = ReturnType<typeof ipaddr.parseCIDR>
export type PortRange = readonly [first: number, last: number]

/** What an operator lets tools reach: by default only https to the public internet. */
export interface EgressPolicy {
  /** Non-public ranges that tools may reach, also by plain http. */
  allow: readonly Cidr[]
  /** Ports that tools may reach, on any address. */
  ports: readonly PortRange[]
}

const PORT_MAX = 65_535
/** Below 1024 are services that HTTP requests can harm, mail and remote shells among them. */
const DEFAULT_PORTS: readonly PortRange[] = [
  [80, 80],
  [443, 443],
  [1024, PORT_MAX],
]

/** Only https to public addresses. */
export const STRICT: EgressPolicy = { allow: [], ports: DEFAULT_PORTS }

/**
 * `VITRINE_EGRESS_ALLOW`: CIDRs or single addresses, IPv4 or IPv6, separated by commas; empty or unset allows none.
 * `VITRINE_EGRESS_PORTS`: ports and ranges such as `443,8000-8999`, replacing the default; empty or unset is the
 * default. Throws for anything else, naming the variable and the entry: a list read halfway would allow what nobody
 * meant.
 */
export function readEgressPolicy(env: Record<string, string | undefined>): EgressPolicy {
  return {
    allow: entriesOf(env['VITRINE_EGRESS_ALLOW']).map(readCidr),
    ports: env['VITRINE_EGRESS_PORTS']?.trim() ? entriesOf(env['VITRINE_EGRESS_PORTS']).map(readPorts) : DEFAULT_PORTS,
  }
}

/** Whether the allow-list covers an address. Ranges of the other IP version never do. */
export function isListed(address: ipaddr.IPv4 | ipaddr.IPv6, { allow }: EgressPolicy): boolean {
  return allow.some((range) => isWithin(address, range))
}

export function isOpenPort(port: number, { ports }: EgressPolicy): boolean {
  return ports.some(([first, last]) => port >= first && port <= last)
}

/** ipaddr.js throws for an address and a range of different IP versions. */
export function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, range: Cidr): boolean {
  return address.kind() === range[0].kind() && address.match(range)
}

function entriesOf(text: string | undefined): string[] {
  return text?.trim() ? text.split(',').map((entry) => entry.trim()) : []
}

function readCidr(entry: string): Cidr {
  const [address = '', prefix, ...more] = entry.split('/')
  const version = isIP(address)
  const bits = version === 6 ? 128 : 32
  // isIP is strict; ipaddr.js also accepts 10.1 and 012.0.0.0, which other programs read differently.
  if (version === 0 || address.includes('%') || more.length > 0) throw badCidr(entry)
  if (prefix !== undefined && (!/^(?:0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > bits)) throw badCidr(entry)
  return [ipaddr.parse(address), prefix === undefined ? bits : Number(prefix)] as Cidr
}

function badCidr(entry: string): Error {
  return new Error(
    `VITRINE_EGRESS_ALLOW: ${JSON.stringify(entry)} is neither an IP address nor a range of them such as 10.0.0.0/8 or fd00::/8`,
  )
}

function readPorts(entry: string): PortRange {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(entry)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? first)
  if (match === null || first < 1 || last < first || last > PORT_MAX) {
    throw new Error(
      `VITRINE_EGRESS_PORTS: ${JSON.stringify(entry)} is neither a port nor a range of them such as 8000-8999`,
    )
  }
  return [first, last]
}
