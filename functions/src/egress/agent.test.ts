import { lookup as systemLookup } from 'node:dns'
import { createServer, type Server } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Agent } from 'undici'
import { createDispatcher, type LookupAll } from './agent.ts'

let server: Server
let port: number
let hits = 0
const agents: Agent[] = []

beforeAll(async () => {
  server = createServer((_request, response) => {
    hits++
    response.end('reached')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  hits = 0
  await Promise.all(agents.splice(0).map((agent) => agent.destroy()))
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

function resolving(...addresses: string[]): LookupAll {
  return vi.fn<LookupAll>((_host, _options, callback) => {
    callback(null, addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })))
  })
}

/** The text that comes back, or the code of the error. */
async function get(host: string, options: { allowPrivate: boolean; lookup?: LookupAll }): Promise<string> {
  const agent = createDispatcher(options)
  agents.push(agent)
  try {
    const response = await agent.request({ origin: new URL(`http://${host}:${port}`).origin, path: '/', method: 'GET' })
    return await response.body.text()
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

describe('the guard', () => {
  it.each(['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '[::127.0.0.1]', '0.0.0.0', 'localhost', 'localhost.', 'metadata.google.internal'])(
    'refuses the literal host %s without a look-up or a connection',
    async (host) => {
      const lookup = resolving('8.8.8.8')
      expect(await get(host, { allowPrivate: false, lookup })).toBe('blocked_url')
      expect(lookup).not.toHaveBeenCalled()
      expect(hits).toBe(0)
    },
  )

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
    expect(await get('rebind.example.com', { allowPrivate: false, lookup: resolving(...addresses) })).toBe('blocked_url')
    expect(hits).toBe(0)
  })

  it('asks once and dials what it checked: the second answer of a name that changes its mind is never used', async () => {
    const answers = [['127.0.0.1'], ['8.8.8.8']]
    const lookup = vi.fn<LookupAll>((_host, _options, callback) => callback(null, answers.shift()!.map((address) => ({ address, family: 4 }))))
    expect(await get('rebind.example.com', { allowPrivate: false, lookup })).toBe('blocked_url')
    expect(lookup).toHaveBeenCalledTimes(1)
  })

  it('checks all addresses also where Node would ask for one', async () => {
    net.setDefaultAutoSelectFamily(false)
    try {
      const lookup = resolving('8.8.8.8', '127.0.0.1')
      expect(await get('rebind.example.com', { allowPrivate: false, lookup })).toBe('blocked_url')
      expect(vi.mocked(lookup).mock.calls[0]?.[1]).toMatchObject({ all: true })
      expect(await get('api.example.com', { allowPrivate: true, lookup: resolving('127.0.0.1', '127.0.0.2') })).toBe('reached')
    } finally {
      net.setDefaultAutoSelectFamily(true)
    }
  })

  it('passes a failed look-up and an empty one on', async () => {
    const missing: LookupAll = (_host, _options, callback) => callback(Object.assign(new Error('none'), { code: 'ENOTFOUND' }), [])
    expect(await get('nowhere.example.com', { allowPrivate: false, lookup: missing })).toBe('ENOTFOUND')
    expect(await get('nowhere.example.com', { allowPrivate: false, lookup: resolving() })).toBe('ENOTFOUND')
  })
})

describe('without the guard', () => {
  it('reaches private addresses and names', async () => {
    expect(await get('127.0.0.1', { allowPrivate: true })).toBe('reached')
    expect(await get('localhost', { allowPrivate: true, lookup: systemLookup })).toBe('reached')
    expect(await get('api.example.com', { allowPrivate: true, lookup: resolving('127.0.0.1') })).toBe('reached')
  })

  it('dials exactly an address that the look-up gave', async () => {
    const lookup = resolving('127.0.0.1')
    expect(await get('api.example.com', { allowPrivate: true, lookup })).toBe('reached')
    expect(lookup).toHaveBeenCalledTimes(1)
    expect(vi.mocked(lookup).mock.calls[0]?.[1]).toMatchObject({ all: true })
  })
})

it('ignores a proxy in the environment', async () => {
  vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1')
  vi.stubEnv('http_proxy', 'http://127.0.0.1:1')
  expect(await get('127.0.0.1', { allowPrivate: true })).toBe('reached')
  vi.unstubAllEnvs()
})
