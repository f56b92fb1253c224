import { isIP } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LookupAll } from './lookup.ts'
import { readEgressPolicy, STRICT } from './policy.ts'
import { checkReachable } from './reachable.ts'

const LISTED = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,::1/128' })

const resolving = (...addresses: string[]) =>
  vi.fn<LookupAll>((_host, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: isIP(address) })),
    ),
  )
const failing: LookupAll = (_host, _options, callback) =>
  callback(Object.assign(new Error('none'), { code: 'EAI_AGAIN' }), [])
const silent: LookupAll = () => undefined

afterEach(() => void vi.useRealTimers())

describe('checkReachable', () => {
  it('asks for all addresses of a name, once', async () => {
    const lookup = resolving('93.184.215.14', '2606:4700::1')
    expect(await checkReachable('https://api.example.com/x', STRICT, lookup)).toEqual({ ok: true, value: [] })
    expect(lookup).toHaveBeenCalledExactlyOnceWith('api.example.com', { all: true }, expect.any(Function))
  })

  it('asks nothing about addresses', async () => {
    const lookup = resolving('10.0.0.1')
    for (const url of ['https://8.8.8.8/', 'https://[2606:4700::1]/'])
      expect(await checkReachable(url, STRICT, lookup)).toEqual({ ok: true, value: [] })
    expect(lookup).not.toHaveBeenCalled()
  })

  // bypass.test.ts covers which addresses are refused.
  it('refuses a name of any address that may not be reached, and says where plain http is the matter', async () => {
    expect(await checkReachable('https://api.example.com/', STRICT, resolving('93.184.215.14', '10.0.0.1'))).toEqual({
      ok: false,
      error: { code: 'blocked_url', details: { field: 'url' } },
    })
    expect(await checkReachable('http://api.example.com/', LISTED, resolving('93.184.215.14'))).toMatchObject({
      error: { code: 'blocked_url', message: expect.stringContaining('https') as string },
    })
  })

  it.each([
    ['fails', failing],
    ['answers with nothing', resolving()],
  ])('warns when the resolver %s', async (_how, lookup) => {
    expect(await checkReachable('https://later.example.com/', STRICT, lookup)).toEqual({
      ok: true,
      value: [expect.stringContaining('later.example.com does not resolve')],
    })
  })

  it('warns when the resolver is silent for two seconds', async () => {
    vi.useFakeTimers()
    const checked = checkReachable('https://later.example.com/', STRICT, silent)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await checked).toEqual({ ok: true, value: [expect.stringContaining('does not resolve')] })
  })

  it('refuses a local name that does not resolve', async () => {
    expect(await checkReachable('https://db.internal/', LISTED, failing)).toMatchObject({
      error: { code: 'blocked_url' },
    })
  })
})
