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

describe('decidePlace', () => {
  it('knows the default port of a protocol', () => {
    const policy = readEgressPolicy({ VITRINE_EGRESS_PORTS: '443', VITRINE_EGRESS_ALLOW: '127.0.0.1' })
    expect(decidePlace({ protocol: 'https:', hostname: '127.0.0.1', port: '' }, policy)).toEqual({ allowed: true })
    expect(decidePlace({ protocol: 'http:', hostname: '127.0.0.1', port: '' }, policy)).toMatchObject({
      allowed: false,
      reason: 'port 80',
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
