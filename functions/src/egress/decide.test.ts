import { describe, expect, it } from 'vitest'
import { decideAnswer, decidePlace } from './decide.ts'
import { readEgressPolicy, STRICT } from './policy.ts'

const LISTED = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8' })

// Addresses, notations and ports are in oracle.test.ts and bypass.test.ts.
describe('decideAnswer', () => {
  it('allows no name without an address', () => {
    for (const policy of [STRICT, LISTED])
      expect(decideAnswer({ protocol: 'https:', hostname: 'api.example.com' }, [], policy)).toMatchObject({
        allowed: false,
      })
  })

  it('decides about the name as well', () => {
    expect(
      decideAnswer({ protocol: 'https:', hostname: 'metadata.google.internal' }, ['127.0.0.1'], LISTED),
    ).toMatchObject({ allowed: false, reason: 'metadata name' })
    expect(decideAnswer({ protocol: 'https:', hostname: 'db.internal' }, ['8.8.8.8'], STRICT)).toMatchObject({
      allowed: false,
      reason: 'local name',
    })
  })
})

it('names the address of an answer that may not be dialled', () => {
  const place = { protocol: 'https:', hostname: 'a.example' }
  expect(decideAnswer(place, ['93.184.216.34', '10.0.0.1'], STRICT)).toMatchObject({
    allowed: false,
    address: '10.0.0.1',
  })
})

describe('decidePlace', () => {
  it('knows the default port of a protocol', () => {
    const policy = readEgressPolicy({ VITRINE_EGRESS_PORTS: '443', VITRINE_EGRESS_ALLOW: '127.0.0.1' })
    expect(decidePlace({ protocol: 'https:', hostname: '127.0.0.1', port: '' }, policy)).toEqual({ allowed: true })
    expect(decidePlace({ protocol: 'http:', hostname: '127.0.0.1', port: '' }, policy)).toMatchObject({
      allowed: false,
      reason: 'closed port',
      hint: expect.stringContaining('Port 80'),
    })
  })

  it('takes IPv6 addresses with and without brackets', () => {
    for (const hostname of ['[::1]', '::1'])
      expect(decidePlace({ protocol: 'https:', hostname, port: '' }, STRICT)).toEqual({
        allowed: false,
        reason: 'outside 2000::/3',
      })
  })
})
