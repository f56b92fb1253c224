import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { testKey } from '../../test/sdk/test-key.ts'
import { result, startWireServer, type WireServer } from '../../test/sdk/wire-server.ts'
import { Vitrine } from './index.ts'

let wire: WireServer
let vitrine: Vitrine

beforeAll(async () => {
  wire = await startWireServer()
  vitrine = new Vitrine({ baseUrl: wire.url, key: testKey() })
})
beforeEach(() => {
  wire.requests = []
})
afterAll(() => wire.close())

/** Expects a rejection with the code, and nothing sent. */
async function refused(promise: Promise<unknown>, code: string, field?: string): Promise<void> {
  await expect(promise).rejects.toMatchObject({
    name: 'VitrineError',
    code,
    status: 0,
    retryable: false,
    ...(field && { details: { field } }),
  })
  expect(wire.requests).toEqual([])
}

function nested(levels: number): object {
  let value: object = {}
  for (let i = 1; i < levels; i++) value = { a: value }
  return value
}

describe('args', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  const wrong: [string, unknown][] = [
    ['NaN', { a: NaN }],
    ['Infinity', { a: [Infinity] }],
    ['undefined inside', { a: undefined }],
    ['a function', { a: () => 1 }],
    ['toJSON', { toJSON: () => ({}) }],
    ['a Date', { a: new Date(0) }],
    ['a Map', { a: new Map() }],
    ['a hole', { a: Array(2) }],
    ['a lone surrogate', { a: '\ud800' }],
    ['a cycle', cyclic],
    ['too deep', nested(66)],
    ['own __proto__', JSON.parse('{"a":{"__proto__":{"x":1}}}')],
    ['constructor', { constructor: 1 }],
    ['an array', [1]],
    ['a string', 'q'],
    ['null', null],
  ]
  it.each(wrong)('refuses %s', async (_, args) => {
    await refused(vitrine.tools.invoke({ name: 'search', args: args as object }), 'invalid_argument')
  })

  it('takes what is as deep as may be', async () => {
    wire.respond = result({ status: 200, ok: true, result: null, receipt: { log: 'agents/a1', seq: 0, hash: '' } })
    await vitrine.tools.invoke({ name: 'search', args: nested(64) })
    expect(wire.requests).toHaveLength(1)
  })
})

describe('names', () => {
  it('lets a command have any name, since its server chose it', async () => {
    wire.respond = result({ status: 200, ok: true, result: null, receipt: {} })
    await vitrine.tools.invoke({ name: 'github__Create.Issue__v2' })
    expect(wire.requests[0]?.body).toEqual({ data: { name: 'github__Create.Issue__v2' } })
  })

  it('registers no command', async () => {
    const tool = { agentId: 'a1', kind: 'http', url: 'https://example.com' } as const
    await refused(vitrine.tools.register({ ...tool, name: 'github__create' }), 'invalid_name', 'name')
    await refused(vitrine.tools.getCredential({ name: 'github__create' }), 'invalid_name', 'name')
  })
})

describe('register', () => {
  const tool = { agentId: 'a1', name: 'search', kind: 'http', url: 'https://example.com' } as const

  it('bounds the URL, with the code that the contract names', async () => {
    await refused(vitrine.tools.register({ ...tool, url: `https://e.com/${'a'.repeat(2048)}` }), 'invalid_url', 'url')
  })

  it.each([
    ['agentId', 'a/b'],
    ['kind', 'ftp'],
    ['method', 'post'],
    ['enabled', 'yes'],
    ['headers', ['a']],
    ['auth', 'bearer'],
    ['authToken', 7],
    ['redact', [1]],
  ])('refuses a wrong %s', async (field, value) => {
    const at = field === 'redact' ? 'redact.0' : field
    await refused(vitrine.tools.register({ ...tool, [field]: value }), 'invalid_argument', at)
  })

  it('names an unknown field', async () => {
    await refused(vitrine.tools.register({ ...tool, token: 'x' } as never), 'invalid_argument', 'token')
  })
})

describe('everything else', () => {
  it('refuses a missing input', async () => {
    await refused(vitrine.tools.invoke(undefined as never), 'invalid_argument')
    await refused(vitrine.agents.disable(null as never), 'invalid_argument')
  })

  it.each([0, 1.5, NaN, '1000'])('refuses timeoutMs %s', async (timeoutMs) => {
    await refused(
      vitrine.tools.invoke({ name: 'search', timeoutMs: timeoutMs as number }),
      'invalid_argument',
      'timeoutMs',
    )
  })

  it('bounds labels, months, quotas, times and pages', async () => {
    await refused(vitrine.agents.create({ name: '' }), 'invalid_argument', 'name')
    await refused(vitrine.agents.create({ name: 'a'.repeat(101) }), 'invalid_argument', 'name')
    await refused(
      vitrine.agents.create({ name: 'Bot', allowedTools: ['search', 'No'] }),
      'invalid_name',
      'allowedTools.1',
    )
    await refused(
      vitrine.agents.create({ name: 'Bot', allowedTools: 'search' as never }),
      'invalid_argument',
      'allowedTools',
    )
    await refused(vitrine.keys.create({ label: '' }), 'invalid_argument', 'label')
    await refused(vitrine.quota.set({ monthlyInvocations: -1 }), 'invalid_argument', 'monthlyInvocations')
    await refused(vitrine.quota.usage({ agentId: 'a1', month: '2026-13' }), 'invalid_argument', 'month')
    await refused(vitrine.audit.list({ agentId: 'a1', from: 'yesterday' }), 'invalid_argument', 'from')
    await refused(vitrine.audit.list({ agentId: 'a1', to: '2026-02-30' }), 'invalid_argument', 'to')
    await refused(vitrine.audit.list({ agentId: 'a1', pageSize: 501 }), 'invalid_argument', 'pageSize')
    await refused(vitrine.audit.list({ agentId: 'a1', orgId: 'o1' } as never), 'invalid_argument')
    await refused(vitrine.audit.list({} as never), 'invalid_argument')
  })
})
