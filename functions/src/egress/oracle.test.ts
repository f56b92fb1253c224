import fc from 'fast-check'
import { expect, it } from 'vitest'
import { classifyAddress } from './address.ts'
import { decideAnswer } from './decide.ts'
import { isPortOpen, reachOf, type Range } from './oracle.fixture.ts'
import { readEgressPolicy } from './policy.ts'
import { checkUrl } from './registration.ts'

/**
 * Compares the classifier with the oracle, over addresses crowded around the ends of blocks, in every notation that
 * URLs allow.
 */

interface Address {
  version: 4 | 6
  value: bigint
}

const WIDTH = { 4: 32, 6: 128 } as const
/** The first address of each special block, or one inside it; random addresses would hardly ever hit one. */
const LANDMARKS: Record<4 | 6, bigint[]> = {
  4: [
    0x00000000n,
    0x01000000n,
    0x0a000000n,
    0x0b000000n,
    0x64400000n,
    0x64646464n + 100n,
    0x64800000n,
    0x7f000001n,
    0x80000000n,
    0xa83f8110n,
    0xa9fe0000n,
    0xa9fea9fen,
    0xa9ff0000n,
    0xac100000n,
    0xac200000n,
    0xc0000000n,
    0xc00000c0n,
    0xc0000100n,
    0xc0000200n,
    0xc0000300n,
    0xc0586300n,
    0xc0586400n,
    0xc0a80000n,
    0xc0a90000n,
    0xc6120000n,
    0xc6140000n,
    0xc6336400n,
    0xc6336500n,
    0xcb007100n,
    0xcb007200n,
    0xe0000000n,
    0xf0000000n,
    0xffffffffn,
  ],
  6: [
    '0',
    '1',
    '100000000',
    'ffff00000000',
    '1000000000000',
    'ffff000000000000',
    'ffff000100000000',
    '64ff9b000000000000000000000000',
    '64ff9b000100000000000000000000',
    '64ff9b000200000000000000000000',
    '1000000000000000000000000000000',
    '20000000000000000000000000000000',
    '20010000000000000000000000000000',
    '20010001000000000000000000000000',
    '20010200000000000000000000000000',
    '20010db8000000000000000000000000',
    '20010db9000000000000000000000000',
    '20020000000000000000000000000000',
    '20030000000000000000000000000000',
    '26064700000000000000000000000000',
    '260647000000000000005efe7f000001',
    '260647000000000002005efe7f000001',
    '260647000000000001005efe7f000001',
    '3fff0000000000000000000000000000',
    '3fff1000000000000000000000000000',
    '40000000000000000000000000000000',
    'fc000000000000000000000000000000',
    'fd000ec2000000000000000000000254',
    'fd2000ce000000000000000000000254',
    'fd00a9fea9fe00000000000000000001',
    'fd000042000000000000000000000042',
    'fd000000000000000000000000000000',
    'fe000000000000000000000000000000',
    'fe800000000000000000000000000000',
    'fec00000000000000000000000000000',
    'ff000000000000000000000000000000',
    'ffffffffffffffffffffffffffffffff',
  ].map((hex) => BigInt(`0x${hex}`)),
}

const version = fc.constantFrom<4 | 6>(4, 6)
const address: fc.Arbitrary<Address> = version.chain((of) => {
  const last = 2n ** BigInt(WIDTH[of]) - 1n
  const near = fc.tuple(fc.constantFrom(...LANDMARKS[of]), fc.bigInt(-2n, 2n)).map(([landmark, by]) => landmark + by)
  const within = fc
    .tuple(fc.constantFrom(...LANDMARKS[of]), fc.bigInt(0n, last), fc.integer({ min: 0, max: WIDTH[of] }))
    .map(([landmark, noise, bits]) => landmark ^ (noise >> BigInt(bits)))
  return fc
    .oneof(near, within, fc.bigInt(0n, last))
    .map((value) => ({ version: of, value: value < 0n ? 0n : value > last ? last : value }))
})

/** Ranges of an allow-list; some contain the address. */
const ranges = ({ version: of, value }: Address): fc.Arbitrary<Range[]> => {
  const around = fc.integer({ min: 0, max: WIDTH[of] }).map((bits): Range => ({ version: of, value, bits }))
  const elsewhere = fc
    .tuple(address, fc.integer({ min: 0, max: 32 }))
    .map(([other, bits]): Range => ({ ...other, bits }))
  return fc.array(fc.oneof(around, elsewhere), { maxLength: 3 })
}

const canonical = ({ version: of, value }: Address): string =>
  of === 4
    ? bytesOf(value).join('.')
    : groupsOf(value)
        .map((group) => group.toString(16))
        .join(':')
const bytesOf = (value: bigint): number[] => [24n, 16n, 8n, 0n].map((shift) => Number((value >> shift) & 0xffn))
const groupsOf = (value: bigint): number[] =>
  Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn))
const policyOf = (allow: Range[]) =>
  readEgressPolicy({ VITRINE_EGRESS_ALLOW: allow.map((range) => `${canonical(range)}/${range.bits}`).join(',') })

/** Notations of a number in an IPv4 address (WHATWG URL, "IPv4 number parser"). */
const BASES: ((value: number | bigint) => string)[] = [
  (n) => n.toString(),
  (n) => `0${n.toString(8)}`,
  (n) => `0x${n.toString(16)}`,
  (n) => `0X${n.toString(16).toUpperCase()}`,
  (n) => `000${n.toString(8)}`,
]
/** Disguises of a whole host; the parser maps and decodes it (UTS 46, percent-encoding). */
const DISGUISES: ((host: string) => string)[] = [
  (host) => host,
  (host) => `${host}.`,
  (host) => host.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
  (host) => host.replace(/\d/g, (digit) => String.fromCodePoint(0x1d7ce + Number(digit))),
  (host) => host.replaceAll('.', '。'),
  (host) => host.replaceAll('.', '．'),
  (host) => host.replaceAll('.', '%2e'),
  (host) => host.replace(/\w/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
]

const spelled = ({ version: of, value }: Address): fc.Arbitrary<string> =>
  of === 4 ? spelledIpv4(value) : spelledIpv6(value).map((text) => `[${text}]`)

function spelledIpv4(value: bigint): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.constantFrom(...BASES), { minLength: 4, maxLength: 4 }),
      fc.constantFrom(...DISGUISES),
    )
    .map(([parts, bases, disguise]) => {
      // The last part takes all remaining bytes.
      const numbers = [...bytesOf(value).slice(0, parts - 1), value & (2n ** BigInt(8 * (5 - parts)) - 1n)]
      return disguise(numbers.map((part, i) => bases[i]!(part)).join('.'))
    })
}

function spelledIpv6(value: bigint): fc.Arbitrary<string> {
  const groups = groupsOf(value).map((group) => group.toString(16))
  const dotted = [...groups.slice(0, 6), bytesOf(value & 0xffff_ffffn).join('.')]
  return fc
    .tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean())
    .map(([withDots, padded, compressed, upper]) => {
      const parts = (withDots ? dotted : groups).map((part) =>
        padded && !part.includes('.') ? part.padStart(4, '0') : part,
      )
      const text = compressed
        ? parts
            .join(':')
            .replace(/(?:^|:)0+(?::0+)*(?=:|$)/, ':')
            .replace(/^:(?!:)/, '::')
            .replace(/([^:]):$/, '$1::')
        : parts.join(':')
      return upper ? text.toUpperCase() : text
    })
}

const RUNS = { numRuns: 3_000 }
/** Other tests may keep the machine busy. */
const TIMEOUT_MS = 60_000

it(
  'classifies an address as the oracle does',
  () => {
    const input = address.chain((of) => fc.tuple(fc.constant(of), ranges(of)))
    fc.assert(
      fc.property(input, ([of, allow]) => {
        const verdict = classifyAddress(canonical(of), policyOf(allow))
        expect(verdict.allowed ? verdict.reach : 'refused').toBe(reachOf(of.version, of.value, allow))
      }),
      RUNS,
    )
  },
  TIMEOUT_MS,
)

it(
  'decides about a URL as the oracle does, however its address is written',
  () => {
    const port = fc.oneof(fc.constantFrom(80, 443, 1023, 1024), fc.integer({ min: 1, max: 65_535 }))
    const input = address.chain((of) =>
      fc.tuple(fc.constant(of), ranges(of), spelled(of), fc.constantFrom('http', 'https'), port),
    )
    fc.assert(
      fc.property(input, ([of, allow, host, scheme, at]) => {
        const reach = reachOf(of.version, of.value, allow)
        const allowed = isPortOpen(at) && (reach === 'listed' || (reach === 'global' && scheme === 'https'))
        const checked = checkUrl(`${scheme}://${host}:${at}/`, policyOf(allow))
        expect(checked.ok ? 'ok' : checked.error.code).toBe(allowed ? 'ok' : 'blocked_url')
      }),
      RUNS,
    )
  },
  TIMEOUT_MS,
)

it(
  'refuses an answer of many addresses when the oracle refuses one of them',
  () => {
    const input = fc
      .array(address, { minLength: 1, maxLength: 4 })
      .chain((all) =>
        fc.tuple(
          fc.constant(all),
          ranges(all[0]!),
          fc.constantFrom('http:', 'https:'),
          fc.constantFrom('api.example.com', 'db.internal'),
        ),
      )
    fc.assert(
      fc.property(input, ([all, allow, protocol, hostname]) => {
        const reaches = all.map((of) => reachOf(of.version, of.value, allow))
        const onlyListed = protocol === 'http:' || hostname === 'db.internal'
        const allowed = reaches.every((reach) => reach === 'listed' || (reach === 'global' && !onlyListed))
        expect(decideAnswer({ protocol, hostname }, all.map(canonical), policyOf(allow)).allowed).toBe(allowed)
      }),
      RUNS,
    )
  },
  TIMEOUT_MS,
)
