import { describe, expect, it } from 'vitest'
import { classifyAddress } from './address.ts'
import { readEgressPolicy, STRICT } from './policy.ts'

/**
 * First and last address of every block that is not global unicast (IANA special-purpose registries, RFC 6890), and
 * cloud addresses.
 */
const REFUSED: Record<string, string[]> = {
  'this network': ['0.0.0.0', '0.0.0.1', '0.255.255.255'],
  private: ['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255'],
  'carrier-grade NAT': ['100.64.0.0', '100.100.100.200', '100.127.255.255'],
  loopback: ['127.0.0.0', '127.0.0.1', '127.255.255.255'],
  'link local': ['169.254.0.0', '169.254.169.254', '169.254.170.2', '169.254.255.255'],
  'IETF protocols': ['192.0.0.0', '192.0.0.192', '192.0.0.255'],
  documentation: ['192.0.2.0', '192.0.2.255', '198.51.100.0', '198.51.100.255', '203.0.113.0', '203.0.113.255'],
  '6to4 relays': ['192.88.99.0', '192.88.99.255'],
  benchmarks: ['198.18.0.0', '198.19.255.255'],
  multicast: ['224.0.0.0', '224.0.0.1', '239.255.255.255'],
  reserved: ['240.0.0.0', '255.255.255.254', '255.255.255.255'],
  'Azure wire server': ['168.63.129.16'],
  'IPv6 unspecified and loopback': ['::', '::1'],
  'IPv4-mapped': [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    '::ffff:a9fe:a9fe',
    '0:0:0:0:0:ffff:0a00:0001',
  ],
  'IPv4-compatible': ['::127.0.0.1', '::a9fe:a9fe', '::8.8.8.8'],
  'IPv4-translated': ['::ffff:0:127.0.0.1'],
  NAT64: ['64:ff9b::', '64:ff9b::7f00:1', '64:ff9b::8.8.8.8', '64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
  discard: ['100::', '100::ffff:ffff:ffff:ffff'],
  'IETF protocols of IPv6, with Teredo and ORCHID': [
    '2001::',
    '2001:0:7f00:1::',
    '2001:2::',
    '2001:20::',
    '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff',
  ],
  'documentation of IPv6': [
    '2001:db8::',
    '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
    '3fff::',
    '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff',
  ],
  '6to4': ['2002::', '2002:7f00:1::', '2002:808:808::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  'segment routing': ['5f00::', '5f00:ffff::'],
  'unique local': ['fc00::', 'fd00:ec2::254', 'fd20:ce::254', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  'link local of IPv6': ['fe80::', 'fe80::1', 'febf::1'],
  'site local': ['fec0::1', 'feff::1'],
  'multicast of IPv6': ['ff00::', 'ff02::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  'outside of 2000::/3': ['1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '4000::'],
  'with a zone': ['fe80::1%eth0', '2606:4700::1%eth0', '::1%1'],
  'not an address': [
    '',
    'localhost',
    'example.com',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '0x7f.0.0.1',
    '8.8.8.8 ',
    '08.8.8.8',
    '8.8.8.8:80',
    '[::1]',
    ':::1',
    '1.2.3.4.5',
  ],
}

const ALLOWED = [
  '1.0.0.0',
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '168.63.129.15',
  '168.63.129.17',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '191.255.255.255',
  '192.0.1.0',
  '192.0.3.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '198.51.99.255',
  '203.0.114.0',
  '223.255.255.255',
  '2000::',
  '2001:200::',
  '2001:4860:4860::8888',
  '2001:db7:ffff::1',
  '2001:db9::',
  '2003::',
  '2606:4700:4700::1111',
  '2a00:1450::1',
  '3ffe:ffff::',
  '3fff:1000::',
]

/** Everything that the operator can list. */
const EVERYTHING = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '0.0.0.0/0,::/0' })

describe('classifyAddress', () => {
  for (const [what, addresses] of Object.entries(REFUSED)) {
    it.each(addresses)(`refuses %s (${what})`, (address) =>
      expect(classifyAddress(address, STRICT)).toMatchObject({ allowed: false }),
    )
  }

  it.each(ALLOWED)('allows %s', (address) =>
    expect(classifyAddress(address, STRICT)).toEqual({ allowed: true, reach: 'global' }),
  )
})

describe('classifyAddress with an allow-list', () => {
  it.each([
    'this network',
    'link local',
    'Azure wire server',
    'IPv4-mapped',
    'IPv4-compatible',
    'IPv4-translated',
    'NAT64',
    '6to4',
    'link local of IPv6',
    'multicast',
    'multicast of IPv6',
    'with a zone',
    'not an address',
  ])('opens nothing of: %s', (what) => {
    for (const address of REFUSED[what]!)
      expect(classifyAddress(address, EVERYTHING), address).toMatchObject({ allowed: false })
  })

  it.each([
    '100.100.100.200',
    '192.0.0.192',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    'fd00:a9fe:a9fe::1',
    'fd00:42::42',
    '2001:0:7f00:1::',
    '255.255.255.255',
    '::',
  ])('never opens %s', (address) => expect(classifyAddress(address, EVERYTHING)).toMatchObject({ allowed: false }))

  it.each(['2a00:1450::5efe:808:808', '2a00:1450::200:5efe:808:808', 'fd00::5efe:a00:1'])(
    'never opens the ISATAP address %s',
    (address) => {
      expect(classifyAddress(address, STRICT)).toMatchObject({ allowed: false })
      expect(classifyAddress(address, EVERYTHING)).toMatchObject({ allowed: false })
    },
  )

  it.each([
    '10.0.0.1',
    '127.0.0.1',
    '::1',
    '100.64.0.1',
    '192.168.1.1',
    'fd00::1',
    '240.0.0.1',
    '8.8.8.8',
    '2606:4700::1',
    '2001:db8::1',
  ])('opens %s', (address) => expect(classifyAddress(address, EVERYTHING)).toEqual({ allowed: true, reach: 'listed' }))

  it('opens what is in its ranges alone', () => {
    const policy = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '10.1.2.0/23, fd12:3400::/24,192.168.0.7' })
    const opened = [
      '10.1.1.255',
      '10.1.2.0',
      '10.1.3.255',
      '10.1.4.0',
      'fd12:33ff::',
      'fd12:3400::',
      'fd12:34ff::1',
      'fd12:3500::',
      '192.168.0.6',
      '192.168.0.7',
      '192.168.0.8',
      '127.0.0.1',
      '::1',
    ].filter((address) => classifyAddress(address, policy).allowed)
    expect(opened).toEqual(['10.1.2.0', '10.1.3.255', 'fd12:3400::', 'fd12:34ff::1', '192.168.0.7'])
    expect(classifyAddress('::ffff:10.1.2.0', policy)).toMatchObject({ allowed: false })
  })
})
