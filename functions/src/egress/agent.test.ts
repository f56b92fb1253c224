import { lookup as systemLookup } from 'node:dns'
import { createServer, type Server } from 'node:http'
import net, { isIP, type AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Agent } from 'undici'
import { createDispatcher } from './agent.ts'
import type { LookupAll } from './lookup.ts'
import { readEgressPolicy, STRICT, type EgressPolicy } from './policy.ts'

const LISTED = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,::1' })

/** Two servers on the same port: one that the operator lists, and a neighbour that tools may not reach. */
let listed: Server
let inside: Server
let port: number
let hits: string[] = []
const agents: Agent[] = []

beforeAll(async () => {
  const serving = (name: string) =>
    createServer((request, response) => {
      hits.push(`${name} ${request.headers.host}`)
      response.end('reached')
    })
  listed = serving('listed')
  inside = serving('inside')
  await new Promise<void>((resolve) => listed.listen(0, '127.0.0.1', resolve))
  port = (listed.address() as AddressInfo).port
  await new Promise<void>((resolve) => inside.listen(port, '127.0.0.2', resolve))
})
afterEach(async () => {
  hits = []
  await Promise.all(agents.splice(0).map((agent) => agent.destroy()))
})
afterAll(async () => {
  for (const server of [listed, inside]) await new Promise((resolve) => server.close(resolve))
})

/** A resolver that gives these answers in turn and then repeats the last. */
function resolving(...answers: string[][]): ReturnType<typeof vi.fn<LookupAll>> {
  return vi.fn<LookupAll>((_host, _options, callback) => {
    const addresses = (answers.length > 1 ? answers.shift() : answers[0])!
    callback(
      null,
      addresses.map((address) => ({ address, family: isIP(address) })),
    )
  })
}

interface Options {
  policy: EgressPolicy
  lookup?: LookupAll
  protocol?: 'http' | 'https'
  at?: number
}

/** The text that comes back, or the code of the error. */
async function get(host: string, { policy, lookup, protocol = 'http', at = port }: Options): Promise<string> {
  const agent = createDispatcher({ policy, ...(lookup && { lookup }) })
  agents.push(agent)
  return through(agent, `${protocol}://${host}:${at}`)
}

async function through(agent: Agent, url: string): Promise<string> {
  try {
    const response = await agent.request({ origin: new URL(url).origin, path: '/', method: 'GET' })
    return await response.body.text()
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

describe('the guard', () => {
  it.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::127.0.0.1]',
    '0.0.0.0',
    'localhost',
    'localhost.',
    'metadata.google.internal',
  ])('refuses the literal host %s without a look-up or a connection', async (host) => {
    const lookup = resolving(['8.8.8.8'])
    for (const protocol of ['http', 'https'] as const)
      expect(await get(host, { policy: STRICT, lookup, protocol })).toBe('blocked_url')
    expect(lookup).not.toHaveBeenCalled()
    expect(hits).toEqual([])
  })

  it.each([
    [['127.0.0.1']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['8.8.8.8', '127.0.0.1']],
    [['127.0.0.1', '8.8.8.8']],
    [['2606:4700::1', 'fe80::1%eth0']],
    [['169.254.169.254']],
    [['not-an-address']],
  ])('refuses a name that resolves to %j', async (addresses) => {
    const lookup = resolving(addresses)
    expect(await get('rebind.example.com', { policy: STRICT, lookup, protocol: 'https' })).toBe('blocked_url')
    expect(lookup).toHaveBeenCalledTimes(1)
    expect(hits).toEqual([])
  })

  it('asks nobody about a name that plain http may not reach in any case', async () => {
    const lookup = resolving(['8.8.8.8'])
    expect(await get('api.example.com', { policy: STRICT, lookup })).toBe('blocked_url')
    expect(lookup).not.toHaveBeenCalled()
  })

  it('checks all addresses also where Node would ask for one', async () => {
    net.setDefaultAutoSelectFamily(false)
    try {
      const lookup = resolving(['8.8.8.8', '127.0.0.1'])
      expect(await get('rebind.example.com', { policy: STRICT, lookup, protocol: 'https' })).toBe('blocked_url')
      expect(lookup.mock.calls[0]?.[1]).toMatchObject({ all: true })
      expect(await get('api.example.com', { policy: LISTED, lookup: resolving(['127.0.0.1', '127.0.0.3']) })).toBe(
        'reached',
      )
    } finally {
      net.setDefaultAutoSelectFamily(true)
    }
  })

  it('passes a failed look-up and an empty one on', async () => {
    const missing: LookupAll = (_host, _options, callback) =>
      callback(Object.assign(new Error('none'), { code: 'ENOTFOUND' }), [])
    for (const lookup of [missing, resolving([])])
      expect(await get('nowhere.example.com', { policy: STRICT, lookup, protocol: 'https' })).toBe('ENOTFOUND')
  })

  it.each([22, 25, 81, 1023])('refuses port %i, also of a listed address', async (at) => {
    expect(await get('127.0.0.1', { policy: LISTED, at })).toBe('blocked_url')
    expect(await get('8.8.8.8', { policy: STRICT, protocol: 'https', at })).toBe('blocked_url')
  })
})

describe('the guard with an allow-list', () => {
  const ONE = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.1' })

  it('reaches listed addresses and names of them', async () => {
    expect(await get('127.0.0.1', { policy: ONE })).toBe('reached')
    expect(await get('localhost', { policy: LISTED, lookup: systemLookup })).toBe('reached')
    expect(await get('api.example.com', { policy: ONE, lookup: resolving(['127.0.0.1']) })).toBe('reached')
    expect(hits).toHaveLength(3)
  })

  it('reaches nothing beside them', async () => {
    expect(await get('127.0.0.2', { policy: ONE })).toBe('blocked_url')
    expect(await get('[::ffff:127.0.0.1]', { policy: ONE })).toBe('blocked_url')
    for (const addresses of [
      ['127.0.0.2'],
      ['127.0.0.1', '127.0.0.2'],
      ['127.0.0.1', '::ffff:127.0.0.1'],
      ['127.0.0.1', '169.254.169.254'],
    ]) {
      for (const protocol of ['http', 'https'] as const)
        expect(await get('api.example.com', { policy: ONE, protocol, lookup: resolving(addresses) })).toBe(
          'blocked_url',
        )
    }
    expect(hits).toEqual([])
  })

  it('speaks plain http to listed addresses alone, whatever else a name has', async () => {
    expect(await get('8.8.8.8', { policy: ONE })).toBe('blocked_url')
    expect(await get('api.example.com', { policy: ONE, lookup: resolving(['127.0.0.1', '8.8.8.8']) })).toBe(
      'blocked_url',
    )
    expect(hits).toEqual([])
  })

  it('takes a local name for listed addresses alone, also by https', async () => {
    expect(await get('db.internal', { policy: ONE, lookup: resolving(['127.0.0.1']) })).toBe('reached')
    expect(await get('db.internal', { policy: ONE, protocol: 'https', lookup: resolving(['8.8.8.8']) })).toBe(
      'blocked_url',
    )
  })
})

describe('a name that changes its mind', () => {
  const ONE = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.1' })

  it('is asked once, and dialled where it said', async () => {
    const lookup = resolving(['127.0.0.1'], ['127.0.0.2'])
    expect(await get('rebind.example.com', { policy: ONE, lookup })).toBe('reached')
    expect(lookup).toHaveBeenCalledTimes(1)
    expect(lookup.mock.calls[0]?.[1]).toMatchObject({ all: true })
    expect(hits).toEqual([`listed rebind.example.com:${port}`])
  })

  it('is checked anew for every connection', async () => {
    const agent = createDispatcher({ policy: ONE, lookup: resolving(['127.0.0.1'], ['127.0.0.2'], ['127.0.0.1']) })
    agents.push(agent)
    const url = `http://rebind.example.com:${port}`
    const seen: string[] = []
    for (let i = 0; i < 3; i++) {
      seen.push(await through(agent, url))
      listed.closeAllConnections()
      await vi.waitUntil(() => Object.values(agent.stats).every(({ connected }) => !connected), { timeout: 20_000 })
    }
    expect(seen).toEqual(['reached', 'blocked_url', 'reached'])
    expect(hits).toEqual(Array(2).fill(`listed rebind.example.com:${port}`))
  })
})

it('ignores a proxy in the environment', async () => {
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'])
    vi.stubEnv(name, 'http://127.0.0.1:1')
  vi.stubEnv('NODE_USE_ENV_PROXY', '1')
  expect(await get('127.0.0.1', { policy: LISTED })).toBe('reached')
  vi.unstubAllEnvs()
})
