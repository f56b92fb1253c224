import { describe, expect, it } from 'vitest'
import { isOpenPort, readEgressPolicy, STRICT } from './policy.ts'

const allow = (text: string) =>
  readEgressPolicy({ VITRINE_EGRESS_ALLOW: text }).allow.map(([address, bits]) => `${address.toString()}/${bits}`)
const openPorts = (text: string | undefined, ...ports: number[]) =>
  ports.filter((port) => isOpenPort(port, readEgressPolicy({ VITRINE_EGRESS_PORTS: text })))

describe('VITRINE_EGRESS_ALLOW', () => {
  it.each([undefined, '', ' '])('%j is strict', (text) =>
    expect(readEgressPolicy({ VITRINE_EGRESS_ALLOW: text })).toEqual(STRICT),
  )

  it('takes ranges and single addresses of both versions, with white space around', () => {
    expect(allow('127.0.0.0/8,::1/128')).toEqual(['127.0.0.0/8', '::1/128'])
    expect(allow(' 10.0.0.7 , FD00::/8,0.0.0.0/0 ,::/0')).toEqual(['10.0.0.7/32', 'fd00::/8', '0.0.0.0/0', '::/0'])
  })

  it.each([
    'localhost',
    '10',
    '10.1',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0.0/255.0.0.0',
    '10.0.0.0/8.0',
    '010.0.0.0/8',
    '0x0a.0.0.0/8',
    '10.0.0.256',
    '10.*',
    '10.0.0.1-10.0.0.9',
    '10.0.0.0 /8',
    'fd00::/129',
    '[::1]',
    '[fd00::]/8',
    'fe80::1%eth0',
    'fe80::%eth0/10',
    ':::/0',
    '::g',
    'http://10.0.0.1',
    '10.0.0.1:80',
    '*',
    'true',
  ])('refuses %j and says so, wherever it stands', (entry) => {
    for (const text of [entry, `127.0.0.0/8,${entry}`, `${entry},::1`])
      expect(() => allow(text)).toThrow(`VITRINE_EGRESS_ALLOW: ${JSON.stringify(entry)} is neither`)
  })

  it.each(['127.0.0.0/8,', ',127.0.0.0/8', '127.0.0.0/8,,::1', ','])('refuses the empty entry of %j', (text) =>
    expect(() => allow(text)).toThrow('VITRINE_EGRESS_ALLOW: ""'),
  )
})

describe('VITRINE_EGRESS_PORTS', () => {
  it.each([undefined, '', ' '])('%j is 80, 443 and from 1024 on', (text) => {
    expect(openPorts(text, 0, 1, 22, 79, 80, 81, 442, 443, 444, 1023, 1024, 6379, 65_535, 65_536)).toEqual([
      80, 443, 1024, 6379, 65_535,
    ])
  })

  it('replaces them', () => {
    expect(openPorts('443, 8000-8999', 80, 443, 7999, 8000, 8999, 9000)).toEqual([443, 8000, 8999])
    expect(openPorts('25', 25, 80)).toEqual([25])
  })

  it.each(['0', '65536', '99999', '443-80', '80-', '-80', '80-90-100', 'http', '8e1', '80.5', '+80', '0x50', ''])(
    'refuses %j and says so',
    (entry) => {
      expect(() => openPorts(`443,${entry}`, 443)).toThrow(`VITRINE_EGRESS_PORTS: ${JSON.stringify(entry)} is neither`)
    },
  )
})
