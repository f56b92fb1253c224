import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RESPONSE_BYTES_DEFAULT } from '@vitrine/core/limits'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { AuthScheme, Piece } from '@vitrine/core/tool'
import { createDispatcher } from '../egress/agent.ts'
import { readEgressPolicy } from '../egress/policy.ts'
import { toResult } from './answer.ts'
import { digestOf } from './digest.ts'
import type { Forward, ForwardOutcome, ForwardRequest } from '../forward/forward.ts'
import { httpForward } from '../forward/http/http.ts'
import { createLargeAnswers, type ReadLarge } from './large.ts'
import { withAnswer } from './read.ts'
import { mcpConnector } from '../forward/mcp/connect.ts'
import { mcpConnections } from '../forward/mcp/connections.ts'
import { mcpForward } from '../forward/mcp/mcp.ts'
import { workerForward } from '../forward/worker/worker.ts'

/** Calls each upstream twice, reading its answer at once and in the thread: the outcomes must be equal. */

const CREDENTIAL = 'sk/live "1234567+8901"'
const AUTH: AuthScheme = { scheme: 'bearer' }
const scrubber = createScrubber(CREDENTIAL, AUTH)
const egress = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,::1' })
const dispatcher = createDispatcher({ policy: egress })
const connections = mcpConnections(mcpConnector({ dispatcher, egress }))
const mcp = mcpForward(connections)
const largeAnswers = createLargeAnswers({ entry: new URL('./thread.ts', import.meta.url), bytesMin: 0 })
const inThread = largeAnswers.reader(
  { credential: CREDENTIAL, auth: AUTH, digested: true },
  new AbortController().signal,
)

/** The server's answer to a call of a tool; `id` is that of the request, `token` the one for progress. */
interface Said {
  status?: number
  contentType: string
  body: (id: number, token: unknown) => string
}
let said: Said

const server = createServer((request, response) => {
  if (request.method === 'GET') return response.writeHead(405).end()
  return void text(request).then((body) => {
    const {
      id = 0,
      method,
      params,
    } = JSON.parse(body) as { id?: number; method?: string; params?: { _meta?: { progressToken?: unknown } } }
    if (method === 'initialize') {
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(
        JSON.stringify({
          jsonrpc: '2.0',
          id,
          result: {
            protocolVersion: '2025-06-18',
            capabilities: { tools: {} },
            serverInfo: { name: 'test', version: '1' },
          },
        }),
      )
    }
    if (method !== undefined && method !== 'tools/call')
      return response.writeHead(method.startsWith('notifications/') ? 202 : 404).end()
    response.writeHead(said.status ?? 200, { 'content-type': said.contentType })
    return response.end(said.body(id, params?._meta?.progressToken))
  })
})
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(async () => {
  connections.close()
  await largeAnswers.close()
  await dispatcher.destroy()
  server.close()
})

/** What the caller gets, and what is recorded. */
function seen(outcome: ForwardOutcome): unknown {
  if (!outcome.answered) return outcome
  const { answer, ...verdict } = outcome
  if (answer.type === 'serialized')
    return {
      ...verdict,
      json: Buffer.from(answer.json).toString(),
      redactions: answer.redactions,
      resultDigest: answer.resultDigest,
    }
  const scrubbed = scrubber.answer(answer)
  const result = toResult(scrubbed.answer)
  return { ...verdict, json: JSON.stringify(result), redactions: scrubbed.count, resultDigest: digestOf(result) }
}

async function call(forward: Forward, what: Said, more: Partial<ForwardRequest> = {}) {
  said = what
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const endpoint = { url, method: 'POST' as const, auth: AUTH, headers: {}, responseBytesMax: RESPONSE_BYTES_DEFAULT }
  const request = {
    connection: 'agents/a/tools/t@1',
    endpoint,
    command: 'c',
    args: {},
    credential: CREDENTIAL,
    scrubber,
    signal: AbortSignal.timeout(30_000),
  }
  const pieces: Piece[] = []
  const outcome = await forward({ ...request, emit: async (piece) => void pieces.push(piece), ...more })
  return { outcome, seen: seen(outcome), pieces }
}

async function same(forward: Forward, what: Said): Promise<ForwardOutcome> {
  const small = await call(forward, what)
  let passed = 0
  const counting = ((kind, unread) => (passed++, inThread(kind, unread))) as ReadLarge
  const large = await call(forward, what, { readLarge: counting })
  expect({ seen: large.seen, pieces: large.pieces }).toEqual({ seen: small.seen, pieces: small.pieces })
  expect(passed).toBeGreaterThan(0)
  return large.outcome
}

const toWorker = workerForward({ dispatcher, sign: async () => 'token' })
function worker(request: ForwardRequest): Promise<ForwardOutcome> {
  const route = {
    workers: [{ url: request.endpoint.url.slice(0, -1), instanceId: 'i', state: 'ready' }],
    policyId: 'p',
    slug: 's',
  }
  return toWorker({ route: route as never, agentId: 'agt_a', call: 'c', deadlineMs: Date.now() + 10_000 })(request)
}

const deep = (levels: number) => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`) as unknown
const RESULTS: Record<string, object> = {
  text: { content: [{ type: 'text', text: 'well' }] },
  'the credential': {
    content: [{ type: 'text', text: `I got ${CREDENTIAL}`, [CREDENTIAL]: encodeURIComponent(CREDENTIAL) }],
    _meta: { 'x/y': CREDENTIAL },
  },
  'an error of the tool': {
    isError: true,
    content: [{ type: 'text', text: 'no' }],
    extra: { 2: 'é\u2028\ud83d\ude00', 1: '\ud800' },
  },
  'a question': { resultType: 'input_required', inputRequests: {} },
  nothing: {},
  'what is as deep as may be': { content: [], a: deep(255) },
  'what is too deep': { content: [], a: deep(256) },
}

describe.each(['\n', '\r\n', '\r'])('with lines that end in %j', (eol) => {
  // After a CR the client's parser waits for the next byte.
  const end = `: end${eol}`
  const events = (...messages: unknown[]) =>
    messages
      .map((message) => `data: ${typeof message === 'string' ? message : JSON.stringify(message)}${eol}${eol}`)
      .join('') + end

  describe('an MCP server answers', () => {
    const answer = (id: number, result: unknown) => ({ jsonrpc: '2.0', id, result })
    const failure = (id: number, data: unknown) => ({
      jsonrpc: '2.0',
      id,
      error: { code: -32000, message: `no ${CREDENTIAL}`, data },
    })
    const progress = (progressToken: unknown, step: number) => ({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken, progress: step, message: `step ${step}`, extra: 1 },
    })
    const log = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x'.repeat(70_000) } }

    it.each(Object.entries(RESULTS))('%s', async (_name, result) => {
      const inBody = await same(mcp, {
        contentType: 'application/json',
        body: (id) => JSON.stringify(answer(id, result)),
      })
      const inEvents = await same(mcp, {
        contentType: 'text/event-stream',
        body: (id, token) =>
          events(
            progress(token, 1),
            log,
            progress('other', 2),
            answer(id + 1, {}),
            answer(id, result),
            answer(id, {}),
            progress(token, 3),
          ),
      })
      expect(inEvents).toEqual(inBody)
    })

    it.each<[string, (id: number, token: unknown) => string]>([
      ['an error', (id) => JSON.stringify(failure(id, [CREDENTIAL]))],
      [
        'a batch',
        (id, token) =>
          JSON.stringify([
            answer(id + 1, {}),
            progress(token, 1),
            log,
            answer(id, { content: [CREDENTIAL] }),
            answer(id, {}),
          ]),
      ],
      ['a batch with something else in it', (id) => JSON.stringify([answer(id, {}), 1])],
      ['an empty batch', () => '[]'],
      ['somebody else', (id) => JSON.stringify(answer(id + 1, {}))],
      ['with a field too many', (id) => JSON.stringify({ ...answer(id, {}), more: 1 })],
      ['with no result', (id) => JSON.stringify(answer(id, null))],
      ['with a wrong _meta', (id) => JSON.stringify(answer(id, { _meta: 1 }))],
      ['no JSON', () => '{"jsonrpc":"2.0",'],
      ['text', () => 'hello'],
    ])('%s', async (_name, body) => {
      await same(mcp, { contentType: 'application/json', body })
      await same(mcp, { contentType: 'text/event-stream', body: (id, token) => events(body(id, token)) })
      await same(mcp, { contentType: 'application/json', status: 500, body: () => body(1, 1) })
      await same(mcp, { contentType: 'text/html', body })
    })

    it('in an event over several lines, and after others', async () => {
      const outcome = await same(mcp, {
        contentType: 'text/event-stream',
        body: (id) =>
          [
            ': hello',
            '',
            'event: other',
            `data: ${JSON.stringify(answer(id, { other: 1 }))}`,
            '',
            `data: ${JSON.stringify([answer(id, { other: 2 })])}`,
            '',
            'data: {"jsonrpc":"2.0",',
            `data: "id":${id},"result"`,
            'data::{"content":["x"]}}',
            '',
            end,
          ].join(eol),
      })
      expect(seen(outcome)).toMatchObject({ ok: true, json: '{"content":["x"]}' })
    })

    it('nothing in the end', async () => {
      await same(mcp, {
        contentType: 'text/event-stream',
        body: (id) => events(answer(id, {})).slice(0, -end.length - eol.length),
      })
      await same(mcp, {
        contentType: 'text/event-stream',
        body: () => events({ jsonrpc: '2.0', id: 'theirs', method: 'ping' }),
      })
    })
  })

  describe('a tools worker answers', () => {
    it.each(Object.entries(RESULTS))('%s', async (_name, result) => {
      await same(worker, { contentType: 'application/json', body: () => JSON.stringify({ result }) })
      await same(worker, {
        contentType: 'text/event-stream',
        body: () =>
          events(
            { progress: { progress: 1, total: 2, message: 'x' } },
            { progress: { progress: 2 } },
            { result },
            { progress: { progress: 3 } },
          ),
      })
    })

    it.each([
      { error: { code: 'upstream_too_large' } },
      { error: { code: 'args_invalid' } },
      { error: { code: 'nonsense' } },
      { result: [] },
      [],
      'x',
      null,
    ])('%j', async (message) => {
      await same(worker, { contentType: 'application/json', body: () => JSON.stringify(message) })
      await same(worker, { contentType: 'text/event-stream', body: () => events(message === 'x' ? '"x"' : message) })
    })
  })
})

describe('an HTTP tool answers', () => {
  const http = httpForward({ dispatcher, egress })

  it.each(Object.entries(RESULTS))('%s, in pieces and at once', async (_name, result) => {
    const what = { contentType: 'application/json', status: 201, body: () => JSON.stringify(result) }
    const outcome = await same(http, what)
    const atOnce = await call(({ emit: _, ...request }) => http(request), what, { readLarge: inThread })
    expect(atOnce).toEqual({ outcome, seen: seen(outcome), pieces: [] })
  })
})

describe('what is too much beside a result', () => {
  it('is refused', async () => {
    const body = (id: number) => JSON.stringify({ jsonrpc: '2.0', id, error: { code: 1, message: 'x'.repeat(70_000) } })
    expect((await call(mcp, { contentType: 'application/json', body }, { readLarge: inThread })).outcome).toEqual({
      answered: false,
      status: 200,
      code: 'upstream_too_large',
      sent: true,
    })
  })

  it('ends the call when the thread breaks', async () => {
    const broken = (() => Promise.reject(Object.assign(new Error('broken'), { bodyCode: 'internal' }))) as ReadLarge
    const what = { contentType: 'application/json', body: () => '{}' }
    for (const forward of [mcp, worker, httpForward({ dispatcher, egress })]) {
      expect((await call(forward, what, { readLarge: broken })).outcome).toMatchObject({
        answered: false,
        code: 'internal',
        sent: true,
      })
    }
  })
})

it('an answer that is nearly JSON-RPC is amended, and the events beside it are as they were', () => {
  const other = '{"jsonrpc":"2.0",\n"method":"notifications/progress","params":{"progress":1}}'
  const lines = (data: string) =>
    data
      .split('\n')
      .map((line) => `data: ${line}\n`)
      .join('') + '\n'
  const bytes = Buffer.from(lines(other) + lines('{"id":"3",\n"result":{"content":[]}}'))
  const amended = Buffer.from(withAnswer({ form: 'events', bytes }, 3)).toString()
  expect(amended).toBe(lines(other) + lines('{"jsonrpc":"2.0","id":3,"result":{"content":[]}}'))
})
