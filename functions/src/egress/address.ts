import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { isListed, isWithin, type Cidr, type EgressPolicy } from './policy.ts'

/** Whether a tool may be reached at an address. The short reason is for logs and tests, not for callers. */
export type AddressVerdict = { allowed: true; reach: 'global' | 'listed' } | { allowed: false; reason: string }

type Address = ipaddr.IPv4 | ipaddr.IPv6

/**
 * The parts of 2000::/3 that are not ordinary hosts: IETF protocols with Teredo, documentation, 6to4, documentation
 * again.
 */
const IPV6_BLOCKED = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'].map((range) => ipaddr.parseCIDR(range))
const IPV6_GLOBAL = ipaddr.parseCIDR('2000::/3')

/**
 * Addresses that no allow-list opens. Metadata services hand out credentials of the machine itself, and an operator who
 * lists a range thinks of the hosts in it. They are at link-local addresses (Amazon, Google, Azure, Oracle, OpenStack
 * and most others; no tool lives at one), Azure's wire server, Alibaba, the former Oracle, and in IPv6 Amazon, Google,
 * Linode and Scaleway. Addresses that embed an IPv4 address would reach a host under another name than the listed one;
 * dual stacks dial IPv4 itself.
 */
const NEVER: [reason: string, range: Cidr][] = Object.entries({
  'this network': ['0.0.0.0/8', '::/128'],
  'cloud metadata': [
    '169.254.0.0/16',
    '168.63.129.16/32',
    '100.100.100.200/32',
    '192.0.0.192/32',
    'fd00:ec2::/64',
    'fd20:ce::/64',
    'fd00:a9fe:a9fe::/64',
    'fd00:42::42/128',
  ],
  'link local': ['fe80::/10'],
  'multicast or broadcast': ['224.0.0.0/4', '255.255.255.255/32', 'ff00::/8'],
  'IPv4-mapped or -translated': ['::ffff:0:0/96', '::ffff:0:0:0/96'],
  NAT64: ['64:ff9b::/96', '64:ff9b:1::/48'],
  '6to4 or Teredo': ['2002::/16', '2001::/32'],
}).flatMap(([reason, ranges]) => ranges.map((range): [string, Cidr] => [reason, ipaddr.parseCIDR(range)]))

const IPV4_COMPATIBLE = ipaddr.parseCIDR('::/96')

/**
 * Allows global unicast addresses and those that the operator lists. A list of what is good cannot forget a special
 * range. For IPv6, global means 2000::/3 without the ranges above; that leaves out IPv4-compatible, unique and
 * link-local addresses, some of which ipaddr.js calls unicast. Anything but an address is refused.
 */
export function classifyAddress(ip: string, policy: EgressPolicy): AddressVerdict {
  // isIP is strict; ipaddr.js also accepts 127.1 and 0x7f000001.
  if (isIP(ip) === 0) return refused('not an address')
  if (ip.includes('%')) return refused('has a zone')
  const address: Address = ipaddr.parse(ip)
  const never = NEVER.find(([, range]) => isWithin(address, range))?.[0] ?? embedding(address)
  if (never) return refused(never)
  if (isListed(address, policy)) return { allowed: true, reach: 'listed' }
  return address instanceof ipaddr.IPv4 ? classifyIpv4(address) : classifyIpv6(address)
}

/** Forms that embed an IPv4 address and are not a range, or that hold another address too. */
function embedding(address: Address): string | null {
  if (address instanceof ipaddr.IPv4) return null
  // ::1 is loopback, the only address in this range that does not embed an IPv4 address.
  if (address.match(IPV4_COMPATIBLE) && address.range() !== 'loopback') return 'IPv4-compatible'
  // RFC 5214 section 6.1: after any prefix, the interface identifier is 0000:5efe or 0200:5efe and an IPv4 address.
  const [, , , , high, low] = address.parts
  return low === 0x5efe && (high! & ~0x0200) === 0 ? 'ISATAP' : null
}

function classifyIpv4(address: ipaddr.IPv4): AddressVerdict {
  const range = address.range()
  return range === 'unicast' ? { allowed: true, reach: 'global' } : refused(range)
}

function classifyIpv6(address: ipaddr.IPv6): AddressVerdict {
  if (!address.match(IPV6_GLOBAL)) return refused('outside 2000::/3')
  const blocked = IPV6_BLOCKED.find((range) => address.match(range))
  return blocked === undefined
    ? { allowed: true, reach: 'global' }
    : refused(`in ${blocked[0].toString()}/${blocked[1]}`)
}

function refused(reason: string): AddressVerdict {
  return { allowed: false, reason }
}
