/**
 * A second opinion about addresses and URLs for tests: integer arithmetic and its own table, sharing no code with what
 * it judges. It reads addresses only as integers, so it cannot misread a notation.
 */

/**
 * Blocks without public hosts, as `value/bits`: IANA's special-purpose registries and the ranges that clouds keep for
 * themselves.
 */
const IPV4_SPECIAL: [first: string, bits: number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  ['168.63.129.16', 32],
]
/** Refused even if an operator lists it. */
const IPV4_NEVER: [string, number][] = [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['255.255.255.255', 32],
  ['168.63.129.16', 32],
  ['100.100.100.200', 32],
  ['192.0.0.192', 32],
]

/** In IPv6 the public part is the smaller one. The first 16 bits of `groups`, and so on. */
const IPV6_PUBLIC: [groups: number[], bits: number][] = [[[0x2000], 3]]
const IPV6_SPECIAL: [number[], number][] = [
  [[0x2001], 23],
  [[0x2001, 0xdb8], 32],
  [[0x2002], 16],
  [[0x3fff], 20],
]
const IPV6_NEVER: [number[], number][] = [
  [[0, 0, 0, 0, 0, 0xffff], 96],
  [[0, 0, 0, 0, 0xffff, 0], 96],
  [[0x64, 0xff9b], 96],
  [[0x64, 0xff9b, 1], 48],
  [[0x2002], 16],
  [[0x2001, 0], 32],
  [[0xff00], 8],
  [[0xfe80], 10],
  [[0xfd00, 0xec2], 64],
  [[0xfd20, 0xce], 64],
  [[0xfd00, 0xa9fe, 0xa9fe], 64],
  [[0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128],
]

export interface Range {
  version: 4 | 6
  value: bigint
  bits: number
}

export type Reach = 'global' | 'listed' | 'refused'

export function reachOf(version: 4 | 6, value: bigint, allow: readonly Range[]): Reach {
  const never =
    version === 4 ? IPV4_NEVER.some(([first, bits]) => holds(32, ipv4(first), bits, value)) : isNever6(value)
  if (never) return 'refused'
  if (
    allow.some((range) => range.version === version && holds(version === 4 ? 32 : 128, range.value, range.bits, value))
  )
    return 'listed'
  const isPublic =
    version === 4
      ? !IPV4_SPECIAL.some(([first, bits]) => holds(32, ipv4(first), bits, value))
      : IPV6_PUBLIC.some(([groups, bits]) => holds(128, ipv6(groups), bits, value)) &&
        !IPV6_SPECIAL.some(([groups, bits]) => holds(128, ipv6(groups), bits, value))
  return isPublic ? 'global' : 'refused'
}

/** Whether a port may be used under the default policy. */
export function isPortOpen(port: number): boolean {
  return port === 80 || port === 443 || (port > 1023 && port < 65_536)
}

function isNever6(value: bigint): boolean {
  if (value < 1n << 32n) return value !== 1n
  const interfaceHigh = (value >> 32n) & 0xffff_ffffn
  return (
    interfaceHigh === 0x5efen ||
    interfaceHigh === 0x200_5efen ||
    IPV6_NEVER.some(([groups, bits]) => holds(128, ipv6(groups), bits, value))
  )
}

function holds(width: number, first: bigint, bits: number, value: bigint): boolean {
  const rest = BigInt(width - bits)
  return first >> rest === value >> rest
}

function ipv4(text: string): bigint {
  return text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
}

function ipv6(groups: number[]): bigint {
  return Array.from({ length: 8 }, (_, i) => BigInt(groups[i] ?? 0)).reduce((sum, group) => sum * 65_536n + group, 0n)
}
