import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ERRORS, type ErrorCode } from '@vitrine/core/errors'
import { stack } from '../stack/stack.ts'
import { checkChain } from './chain.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import { call, db, newAgentWith, newSecret, setLimit, usageOf, type Agent, type Request } from './world.ts'

/**
 * Each request here is refused with its code and leaves nothing behind: no document, entry, unit or request upstream.
 */

interface Case {
  code: ErrorCode
  /** Sent as data. A function of the agent that it is about. */
  data?: unknown
  request?: Partial<Request>
  field?: string
}

let upstream: Upstream
let agent: Agent
beforeAll(async () => {
  upstream = await startUpstream()
  agent = await newAgentWith(`${upstream.origin}/ok`, { authToken: newSecret() })
  await setLimit(agent.owner, 1000)
})
afterAll(() => upstream.close())

/** All state that a request could change. */
async function state(): Promise<object> {
  const { entries, head } = await checkChain(`agents/${agent.id}`)
  const org = await checkChain(`orgs/${agent.owner.uid}`)
  const tools = await db().collection(`agents/${agent.id}/tools`).get()
  const keys = await db().collection('ownerKeys').where('uid', '==', agent.owner.uid).get()
  const agents = await db().collection('agents').where('ownerUid', '==', agent.owner.uid).get()
  return {
    entries: entries.length,
    head,
    org: org.head,
    usage: await usageOf(agent),
    hits: upstream.hits.length,
    keys: keys.size,
    agents: agents.docs.map(({ id, updateTime }) => [id, updateTime.valueOf()]),
    tools: tools.docs.map(({ id, updateTime }) => [id, updateTime.valueOf()]),
  }
}

/** The state after the previous test; undefined after a test that changes something. */
let before: object | undefined

async function refuses(target: string, bearer: string, { code, data, request, field }: Case): Promise<void> {
  before ??= await state()
  const { status, body } = await call(target, data, { bearer, ...request })
  const { http, callable, retryable } = ERRORS[code]
  expect({ status, body }).toMatchObject({
    status: http,
    body: {
      error: {
        status: callable,
        message: expect.stringMatching(/.{5,}/) as unknown,
        details: { code, retryable, ...(field !== undefined && { field }) },
      },
    },
  })
  expect(Object.keys(body as object)).toEqual(['error'])
  expect(await state()).toEqual(before)
}

const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
const invokeWith = (args: string): Partial<Request> => ({ raw: `{"data":{"name":"tool","args":${args}}}` })
const ok = { name: 'tool', args: {} }

describe('the request itself', () => {
  it.each<[string, Case]>([
    ['[input.empty] an empty body', { code: 'invalid_request', request: { raw: '' } }],
    ['[input.empty] an empty body of no type', { code: 'invalid_request', request: { raw: '', contentType: '' } }],
    ['[input.not-json] no JSON', { code: 'invalid_json', request: { raw: '{"data":' } }],
    [
      '[input.not-json] no JSON under another type',
      { code: 'invalid_json', request: { raw: 'name=tool', contentType: 'text/plain' } },
    ],
    [
      '[input.not-json] a form',
      { code: 'invalid_json', request: { raw: 'data=1&name=tool', contentType: 'application/x-www-form-urlencoded' } },
    ],
    [
      '[input.not-json] bytes that are no UTF-8',
      {
        code: 'invalid_json',
        request: { raw: Buffer.from([0xff, 0xfe, 0x00]), contentType: 'application/octet-stream' },
      },
    ],
    ['[input.not-json] NaN', { code: 'invalid_json', request: invokeWith('{"n":NaN}') }],
    ['[input.not-json] Infinity', { code: 'invalid_json', request: invokeWith('{"n":-Infinity}') }],
    ['[input.not-json] an unclosed string', { code: 'invalid_json', request: invokeWith('{"n":"}') }],
    ['[input.envelope] an array', { code: 'invalid_request', request: { raw: '[{"data":{}}]' } }],
    ['[input.envelope] null', { code: 'invalid_request', request: { raw: 'null' } }],
    ['[input.envelope] a string', { code: 'invalid_request', request: { raw: '"data"' } }],
    ['[input.envelope] no data', { code: 'invalid_request', request: { raw: '{"name":"tool"}' } }],
    [
      '[input.envelope] fields beside data',
      { code: 'invalid_request', request: { raw: '{"data":{"name":"tool","args":{}},"name":"tool"}' } },
    ],
    [
      '[input.envelope] __proto__ beside data',
      { code: 'invalid_request', request: { raw: '{"data":{"name":"tool","args":{}},"__proto__":{}}' } },
    ],
    ['[input.method] GET', { code: 'method_not_allowed', request: { method: 'GET' } }],
    ['[input.method] PUT', { code: 'method_not_allowed', data: ok, request: { method: 'PUT' } }],
    ['[input.method] DELETE', { code: 'method_not_allowed', data: ok, request: { method: 'DELETE' } }],
    [
      '[input.too-large] a body of more than 1 MiB',
      { code: 'request_too_large', data: { ...ok, args: { x: 'x'.repeat(1_100_000) } } },
    ],
  ])('%s', (_what, wrong) => refuses('invokeTool', agent.key, wrong))

  it('[input.method] names the method to use', async () => {
    expect((await call('invokeTool', {}, { bearer: agent.key, method: 'GET' })).headers.get('allow')).toBe('POST')
  })

  it('[input.operation] knows no other operations', async () => {
    for (const path of [
      'admin',
      'admin/',
      'admin/none',
      'admin/createAgent/more',
      'admin/__proto__',
      'admin/constructor',
      'none',
    ]) {
      await refuses(path, agent.owner.bearer, { code: 'unknown_operation', data: {} })
    }
  })
})

describe('invokeTool', () => {
  it.each<[string, Case]>([
    ['[input.types] no data', { code: 'invalid_argument', data: null }],
    ['[input.types] an array', { code: 'invalid_argument', data: [] }],
    ['[input.types] no name', { code: 'invalid_argument', data: { args: {} }, field: 'name' }],
    [
      '[input.types] a name that is no string',
      { code: 'invalid_argument', data: { ...ok, name: { a: 1 } }, field: 'name' },
    ],
    ['[input.types] args of an array', { code: 'invalid_argument', data: { ...ok, args: [] }, field: 'args' }],
    ['[input.types] args of a string', { code: 'invalid_argument', data: { ...ok, args: '{}' }, field: 'args' }],
    ['[input.types] args of null', { code: 'invalid_argument', data: { ...ok, args: null }, field: 'args' }],
    [
      '[input.types] timeoutMs of a string',
      { code: 'invalid_argument', data: { ...ok, timeoutMs: '100' }, field: 'timeoutMs' },
    ],
    ['[input.types] timeoutMs of 0', { code: 'invalid_argument', data: { ...ok, timeoutMs: 0 }, field: 'timeoutMs' }],
    [
      '[input.types] timeoutMs of a fraction',
      { code: 'invalid_argument', data: { ...ok, timeoutMs: 1.5 }, field: 'timeoutMs' },
    ],
    [
      '[input.types] timeoutMs beyond any number',
      {
        code: 'invalid_argument',
        request: { raw: '{"data":{"name":"tool","args":{},"timeoutMs":1e999}}' },
        field: 'timeoutMs',
      },
    ],
    [
      '[input.types] an empty idempotency key',
      { code: 'invalid_argument', data: { ...ok, idempotencyKey: '' }, field: 'idempotencyKey' },
    ],
    [
      '[input.types] a long idempotency key',
      { code: 'invalid_argument', data: { ...ok, idempotencyKey: 'k'.repeat(256) }, field: 'idempotencyKey' },
    ],
    [
      '[input.unknown-fields] an unknown field',
      { code: 'invalid_argument', data: { ...ok, arguments: {} }, field: 'arguments' },
    ],
    [
      '[input.unknown-fields] a credential of the caller',
      { code: 'invalid_argument', data: { ...ok, authToken: 'x' }, field: 'authToken' },
    ],
    [
      '[input.prototype] __proto__ as a field',
      { code: 'invalid_argument', request: { raw: '{"data":{"name":"tool","args":{},"__proto__":{"timeoutMs":1}}}' } },
    ],
    [
      '[input.prototype] __proto__ in args',
      { code: 'invalid_argument', request: invokeWith('{"__proto__":{"polluted":true}}') },
    ],
    [
      '[input.prototype] __proto__ deep in args',
      { code: 'invalid_argument', request: invokeWith('{"a":[{"b":{"__proto__":1}}]}') },
    ],
    [
      '[input.prototype] constructor in args',
      { code: 'invalid_argument', request: invokeWith('{"constructor":{"prototype":{}}}') },
    ],
    ['[input.depth] too deep', { code: 'invalid_argument', request: invokeWith(`{"a":${deep(70)}}`) }],
    ['[input.depth] far too deep', { code: 'invalid_argument', request: invokeWith(`{"a":${deep(100_000)}}`) }],
    ['[input.depth] a lone surrogate', { code: 'invalid_argument', request: invokeWith('{"a":"\\ud800"}') }],
    [
      '[input.args-size] args of more than 256 KiB',
      { code: 'args_too_large', data: { ...ok, args: { x: 'x'.repeat(256 * 1024) } } },
    ],
    [
      '[input.args-size] args of more than 256 KiB in UTF-8 alone',
      { code: 'args_too_large', data: { ...ok, args: { x: '\u20ac'.repeat(90_000) } } },
    ],
    ['[input.name] an empty name', { code: 'invalid_name', data: { ...ok, name: '' } }],
    ['[input.name] a path', { code: 'invalid_name', data: { ...ok, name: '../tool' } }],
    ['[input.name] upper case', { code: 'invalid_name', data: { ...ok, name: 'Tool' } }],
    ['[input.name] a long name', { code: 'invalid_name', data: { ...ok, name: 't'.repeat(64) } }],
    ['[input.name] a line break at the end', { code: 'invalid_name', data: { ...ok, name: 'tool\n' } }],
    ['[input.name] a command without a name', { code: 'invalid_name', data: { ...ok, name: 'tool__' } }],
    [
      '[input.name] a command with a control character',
      { code: 'invalid_name', data: { ...ok, name: 'tool__a\u0000b' } },
    ],
    ["[input.name] a name of Firestore's own", { code: 'invalid_name', data: { ...ok, name: '__tool__' } }],
  ])('%s', (_what, wrong) => refuses('invokeTool', agent.key, wrong))

  it('[input.args-size] takes what is just within the bounds', async () => {
    before = undefined
    const answers = await Promise.all([
      call('invokeTool', { ...ok, args: { x: 'x'.repeat(256 * 1024 - 8) } }, { bearer: agent.key }),
      call('invokeTool', undefined, { bearer: agent.key, ...invokeWith(`{"a":${deep(63)}}`) }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
  })

  it('[input.content-type] takes JSON for JSON, whatever type it is said to be of', async () => {
    before = undefined
    const raw = JSON.stringify({ data: ok })
    const types = [
      'application/json; charset=utf-8',
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/cloudevents+json',
      'x',
    ]
    for (const contentType of types)
      expect((await call('invokeTool', null, { bearer: agent.key, raw, contentType })).status).toBe(200)
    expect((await call('invokeTool', null, { bearer: agent.key, raw: Buffer.from(raw), contentType: '' })).status).toBe(
      200,
    )
  })
})

describe('registerTool', () => {
  const withField = (field: string, value: unknown) => () => ({
    agentId: agent.id,
    name: 'fresh',
    kind: 'http',
    url: `${upstream.origin}/ok`,
    [field]: value,
  })

  it.each<[string, ErrorCode, () => object]>([
    ['[input.name] an empty name', 'invalid_name', withField('name', '')],
    ['[input.name] a double underscore', 'invalid_name', withField('name', 'a__b')],
    ['[input.name] another alphabet', 'invalid_name', withField('name', 't\u043eol')],
    ['[input.name] a path', 'invalid_name', withField('name', 'a/b')],
    ['[input.url] no URL', 'invalid_url', withField('url', 'tool')],
    ['[input.url] ftp', 'invalid_url', withField('url', 'ftp://tools.example/')],
    ['[input.url] file', 'invalid_url', withField('url', 'file:///etc/passwd')],
    ['[input.url] javascript', 'invalid_url', withField('url', 'javascript:alert(1)')],
    ['[input.url] a user in it', 'invalid_url', withField('url', 'http://user@tools.example/')],
    ['[input.url] a user and password in it', 'invalid_url', withField('url', 'https://user:pw@tools.example/')],
    ['[input.url] a relative URL', 'invalid_url', withField('url', '//tools.example/')],
    ['[input.url] a line break', 'invalid_url', withField('url', 'http://tools.example/\r\nx')],
    ['[input.url] a long URL', 'invalid_url', withField('url', `http://tools.example/${'x'.repeat(2048)}`)],
    [
      '[input.token-size] a credential of more than 8 KiB',
      'token_too_large',
      withField('authToken', 't'.repeat(8 * 1024 + 1)),
    ],
    [
      '[input.token-size] a credential of more than 8 KiB in UTF-8 alone',
      'token_too_large',
      withField('authToken', '\u20ac'.repeat(3000)),
    ],
    ['[input.types] an empty credential', 'invalid_argument', withField('authToken', '')],
    ['[input.types] a credential with a line break', 'invalid_argument', withField('authToken', 'a\r\nX-Evil: 1')],
    ['[input.types] a credential of a number', 'invalid_argument', withField('authToken', 1)],
    ['[input.types] another kind', 'invalid_argument', withField('kind', 'shell')],
    ['[input.types] another method', 'invalid_argument', withField('method', 'TRACE')],
    ['[input.types] another auth scheme', 'invalid_argument', withField('auth', { scheme: 'digest' })],
    ['[input.types] a header scheme with no name', 'invalid_argument', withField('auth', { scheme: 'header' })],
    [
      "[input.types] a static header that holds the credential's place",
      'invalid_argument',
      withField('headers', { Authorization: 'Bearer x' }),
    ],
    [
      '[input.types] a static header with a line break',
      'invalid_argument',
      withField('headers', { 'x-a': 'a\r\nb: c' }),
    ],
    ['[input.types] a static Host header', 'invalid_argument', withField('headers', { host: 'other.example' })],
    ['[input.types] enabled of a string', 'invalid_argument', withField('enabled', 'yes')],
    ['[input.types] an agent that is a path', 'invalid_argument', withField('agentId', 'a/b')],
    ['[input.unknown-fields] a ciphertext of the caller', 'invalid_argument', withField('authTokenEnc', 'x')],
    ['[input.unknown-fields] another organization', 'invalid_argument', withField('orgId', 'x')],
    ['[identity.other-org] an agent that is not there', 'agent_not_found', withField('agentId', 'agt_none')],
  ])('%s', (_what, code, data) => refuses('registerTool', agent.owner.bearer, { code, data: data() }))
})

describe('admin', () => {
  it.each<[string, string, ErrorCode, object]>([
    ['[input.types] a label that is empty', 'createAgent', 'invalid_argument', { name: '  ' }],
    ['[input.types] a label with control characters', 'createAgent', 'invalid_argument', { name: 'a\u0007b' }],
    ['[input.types] a tool list that is none', 'createAgent', 'invalid_name', { name: 'Bot', allowedTools: ['a b'] }],
    ['[input.unknown-fields] a key of the caller', 'createAgent', 'invalid_argument', { name: 'Bot', keyHash: 'x' }],
    ['[input.types] a quota below 0', 'setQuota', 'invalid_argument', { monthlyInvocations: -1 }],
    ['[input.types] a quota of a fraction', 'setQuota', 'invalid_argument', { monthlyInvocations: 0.5 }],
    ['[input.types] a quota without end', 'setQuota', 'invalid_argument', { monthlyInvocations: 1e12 }],
    ['[input.types] a month that is none', 'getUsage', 'invalid_argument', { agentId: 'a', month: '2026-13' }],
    ['[input.types] an audit of nothing', 'listAudit', 'invalid_argument', {}],
    ['[input.types] an audit of two things', 'listAudit', 'invalid_argument', { agentId: 'a', orgId: 'b' }],
    ['[input.types] a time that is none', 'listAudit', 'invalid_argument', { agentId: 'a', from: 'yesterday' }],
    ['[input.types] a page that is too large', 'listAudit', 'invalid_argument', { agentId: 'a', pageSize: 501 }],
    [
      '[input.types] a page token of another chain',
      'listAudit',
      'invalid_argument',
      { agentId: 'a', pageToken: btoa('["agents/b/audit/0000000000000000",1]') },
    ],
  ])('%s', (_what, operation, code, data) => refuses(`admin/${operation}`, agent.owner.bearer, { code, data }))
})

it('[input.harmless] leaves the functions as able as before', async () => {
  expect((await call('invokeTool', ok, { bearer: agent.key })).status).toBe(200)
  expect(stack().functions).toHaveProperty('invokeTool')
})
