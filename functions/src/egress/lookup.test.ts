import { createSocket, type Socket } from 'node:dgram'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createLookup, type LookupAll } from './lookup.ts'

/** The zone of the name server; it does not answer questions about other names. */
const ZONE: Record<string, string[] | undefined> = {
  'dual.example.com': ['93.184.215.14', '93.184.215.15', '2606:4700::1'],
  'four.example.com': ['93.184.215.14'],
  'six.example.com': ['2606:4700::1'],
  'inside.example.com': ['127.0.0.1'],
  'none.example.com': [],
}

let server: Socket
let hostsFile: string
let lookup: LookupAll
const asked: string[] = []

beforeAll(async () => {
  server = createSocket('udp4')
  server.on('message', (query, from) => {
    const reply = replyTo(query)
    if (reply) server.send(reply, from.port, from.address)
  })
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
  hostsFile = join(await mkdtemp(join(tmpdir(), 'vitrine-hosts-')), 'hosts')
  await writeFile(
    hostsFile,
    '# comment\n127.0.0.1\tlocalhost\n10.0.0.9  Named.example.com other.example.com # named.example.com\n\nfd00::9 named.example.com\n#1.2.3.4 dual.example.com\n',
  )
  lookup = createLookup({ servers: [`127.0.0.1:${server.address().port}`], hostsFile })
})
afterAll(async () => {
  await new Promise<void>((resolve) => server.close(resolve))
  await rm(join(hostsFile, '..'), { recursive: true })
})

/** The answer to a DNS query (RFC 1035 section 4), undefined for silence. */
function replyTo(query: Buffer): Buffer | undefined {
  const labels: string[] = []
  let at = 12
  for (; query[at] !== 0; at += query[at]! + 1) labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!))
  const name = labels.join('.').toLowerCase()
  const type = query.readUInt16BE(at + 1)
  asked.push(name)
  const known = ZONE[name]
  if (!known) return undefined
  const answers = known
    .filter((address) => isIP(address) === (type === 28 ? 6 : 4))
    .map((address) => {
      const data = type === 28 ? groupsOf(address) : Buffer.from(address.split('.').map(Number))
      const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length])
      return Buffer.concat([record, data])
    })
  const header = Buffer.from([query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, answers.length, 0, 0, 0, 0])
  return Buffer.concat([header, query.subarray(12, at + 5), ...answers])
}

function groupsOf(address: string): Buffer {
  const [front = '', back = ''] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)))
  const parts = [
    ...groups(front),
    ...Array<number>(8 - groups(front).length - groups(back).length).fill(0),
    ...groups(back),
  ]
  return Buffer.from(parts.flatMap((group) => [group >> 8, group & 0xff]))
}

/** The addresses, or the code of the error. */
function addressesOf(name: string): Promise<string[] | string> {
  return new Promise((resolve) =>
    lookup(name, { all: true }, (error, addresses) => {
      for (const { address, family } of addresses) expect(family).toBe(isIP(address))
      resolve(error ? error.code! : addresses.map(({ address }) => address))
    }),
  )
}

describe('the lookup', () => {
  it('gives all addresses of both versions', async () => {
    expect(new Set(await addressesOf('dual.example.com'))).toEqual(new Set(ZONE['dual.example.com']))
    expect(await addressesOf('Four.example.com.')).toEqual(['93.184.215.14'])
    expect(await addressesOf('six.example.com')).toEqual(['2606:4700::1'])
    expect(await addressesOf('inside.example.com')).toEqual(['127.0.0.1'])
  })

  it('says when a name has none', async () =>
    expect(await addressesOf('none.example.com')).toMatch(/ENODATA|ENOTFOUND/))

  it('takes the hosts file first', async () => {
    for (const name of ['named.example.com', 'NAMED.example.com', 'named.example.com.'])
      expect(await addressesOf(name)).toEqual(['10.0.0.9', 'fd00::9'])
    expect(await addressesOf('other.example.com')).toEqual(['10.0.0.9'])
    expect(asked).not.toContain('named.example.com')
  })

  it('asks the machine about local names', async () => {
    expect(await addressesOf('localhost')).toContain('127.0.0.1')
    expect(asked).not.toContain('localhost')
  })

  it('answers while names of silent servers are waited for', async () => {
    const silent = Array.from({ length: 50 }, (_, i) => `silent-${i}.example.com`)
    let ended = 0
    for (const name of silent) void addressesOf(name).then(() => ended++)
    await vi.waitUntil(() => silent.every((name) => asked.includes(name)), { timeout: 20_000 })
    expect(await addressesOf('four.example.com')).toEqual(['93.184.215.14'])
    expect(await addressesOf('localhost')).toContain('127.0.0.1')
    expect(ended).toBe(0)
  })
})
