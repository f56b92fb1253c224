import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Whether a tool may live at an address or host, and in a word or two why; the reason is for logs and tests, not for callers. */
export interface Verdict {
  allowed: boolean
  reason: string
}

/** What 2000::/3 holds that is not plainly somebody's host: IETF protocols with Teredo, documentation, 6to4, documentation again. */
const IPV6_BLOCKED = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'].map((range) => ipaddr.parseCIDR(range))
const IPV6_GLOBAL = ipaddr.parseCIDR('2000::/3')

/** Azure answers its virtual machines, credentials included, at an address that looks public. */
const IPV4_BLOCKED = new Set(['168.63.129.16'])

/**
 * Names that mean something else inside than outside, or nothing outside at all. What they resolve to is checked as well;
 * this is for networks in which they resolve to public addresses, and for a clear answer at registration.
 * `internal` (ICANN, 2024: private use) is the zone of Google's metadata server and of all Compute Engine names;
 * `localhost` RFC 6761, `local` RFC 6762, `home.arpa` RFC 8375, `localdomain` by custom.
 */
const LOCAL_ZONES = ['internal', 'localhost', 'local', 'home.arpa', 'localdomain']

/**
 * Only global unicast addresses are allowed: a list of what is good, so that nothing special is forgotten.
 * For IPv6 that is 2000::/3 less the ranges above; it leaves out IPv4-mapped, IPv4-compatible, NAT64, unique and link
 * local addresses, which ipaddr.js by itself calls unicast in part. Anything but an address is refused.
 */
export function classifyAddress(ip: string): Verdict {
  // isIP is strict; ipaddr.js would also take 127.1 and 0x7f000001.
  if (isIP(ip) === 0) return refused('not an address')
  if (ip.includes('%')) return refused('has a zone')
  const address = ipaddr.parse(ip)
  return address instanceof ipaddr.IPv4 ? classifyIpv4(address) : classifyIpv6(address)
}

/** The same for the host of a URL as the WHATWG parser leaves it: an address (IPv6 with or without brackets) or a name. */
export function classifyHost(host: string): Verdict {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
  if (isIP(bare) !== 0) return classifyAddress(bare)
  const name = bare.toLowerCase().replace(/\.$/, '')
  // Without a dot it would be looked up in the search domains of the machine that dials.
  if (!name.includes('.')) return refused('name without a dot')
  const zone = LOCAL_ZONES.find((local) => name.endsWith(`.${local}`) || name === local)
  return zone === undefined ? { allowed: true, reason: 'name' } : refused(`name under ${zone}`)
}

function classifyIpv4(address: ipaddr.IPv4): Verdict {
  const range = address.range()
  if (range !== 'unicast') return refused(range)
  return IPV4_BLOCKED.has(address.toString()) ? refused('cloud metadata') : { allowed: true, reason: 'global' }
}

function classifyIpv6(address: ipaddr.IPv6): Verdict {
  if (!address.match(IPV6_GLOBAL)) return refused('outside 2000::/3')
  const blocked = IPV6_BLOCKED.find((range) => address.match(range))
  return blocked === undefined ? { allowed: true, reason: 'global' } : refused(`in ${blocked[0].toString()}/${blocked[1]}`)
}

function refused(reason: string): Verdict {
  return { allowed: false, reason }
}
