import fc from 'fast-check'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseJson } from '@vitrine/core/json/parse'
import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { AuthScheme, HttpMethod, Piece } from '@vitrine/core/tool'
import { toResult } from '../answers/answer.ts'
import { createLargeAnswers } from '../answers/large.ts'
import { createDispatcher } from '../egress/agent.ts'
import { readEgressPolicy } from '../egress/policy.ts'
import type { Forward } from './forward.ts'
import { httpForward } from './http/http.ts'
import { mcpConnector } from './mcp/connect.ts'
import { mcpConnections } from './mcp/connections.ts'
import { mcpForward } from './mcp/mcp.ts'
import { workerForward } from './worker/worker.ts'

/** Numbers go to an upstream that echoes them and come back, each way that there is, with the digits that they had. */

const AUTH: AuthScheme = { scheme: 'bearer' }
const CREDENTIAL = 'sk-live-1234567'
const scrubber = createScrubber(CREDENTIAL, AUTH)
const egress = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,::1' })
const dispatcher = createDispatcher({ policy: egress })
const http = httpForward({ dispatcher, egress })
const connections = mcpConnections(mcpConnector({ dispatcher, egress }))
const mcp = mcpForward(connections)
const toWorker = workerForward({ dispatcher, sign: async () => 'token' })
const largeAnswers = createLargeAnswers({ entry: new URL('../answers/thread.ts', import.meta.url) })

const LITERALS = [
  ...['725653563933458432', '-9007199254740993', '0.1000000000000000055511151231257827', '1e400', '-1E-400'],
  ...['-0', '1.0', '12.50', '1E5', '1e5', '1e+21', '0', '7', '-0.5', '9'.repeat(40)],
]
const json = fc
  .letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(...LITERALS, '"1.0"', 'true', 'null'),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join()}]`),
      fc.dictionary(fc.constantFrom('a', 'b', '9', 'c d'), tie('value')).map(objectText),
    ),
  }))
  .value.map((value) => `{"of":${value},"id":725653563933458432}`)

function objectText(fields: Record<string, string>): string {
  return `{${Object.entries(fields)
    .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
    .join()}}`
}

const server = createServer((request, response) => {
  if (request.method === 'GET' && request.url === '/mcp') return response.writeHead(405).end()
  return void text(request).then((body) => {
    const reply = (answer: string, type = 'application/json', status = 200) =>
      response.writeHead(status, { 'content-type': type }).end(answer)
    if (request.url!.startsWith('/http')) return reply(request.method === 'GET' ? queryOf(request.url!) : body)
    const message = (body === '' ? {} : parseJson(body)) as JsonObject
    if (request.url === '/call')
      return reply(`{"result":{"content":[],"structuredContent":${textOf(message['arguments'])}}}`)
    if (message['method'] === 'initialize')
      return reply(
        `{"jsonrpc":"2.0","id":${textOf(message['id'])},"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"t","version":"1"}}}`,
      )
    if (message['method'] !== 'tools/call') return response.writeHead(message['id'] === undefined ? 202 : 404).end()
    const params = message['params'] as JsonObject
    const answer = `{"jsonrpc":"2.0","id":${textOf(message['id'])}${params['name'] !== 'c' && params['name'] !== 'events' ? `.0,"error":{"code":-32000.0,"message":"no","data":${textOf(params['arguments'])}}}` : `.0,"result":{"content":[],"structuredContent":${textOf(params['arguments'])}}}`}`
    if (params['name'] === 'refuses') return reply(answer, 'application/json', 400)
    if (params['name'] === 'breaks') return reply(textOf(params['arguments']), 'application/json', 500)
    return params['name'] === 'events'
      ? reply(`: a "comment\n\ndata: ${answer}\n\n`, 'text/event-stream')
      : reply(answer)
  })
})

function textOf(value: JsonValue | undefined): string {
  return JSON.stringify(value)
}

function queryOf(url: string): string {
  return objectText(Object.fromEntries(new URL(url, 'http://t').searchParams))
}

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

interface Way {
  forward: Forward
  path: string
  method?: HttpMethod
  command?: string
  emit?: boolean
}

async function echo(args: string, { forward, path, method = 'POST', command, emit = false }: Way) {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
  const pieces: Piece[] = []
  const signal = AbortSignal.timeout(30_000)
  const outcome = await forward({
    connection: 'agents/a/tools/t@1',
    endpoint: { url, method, auth: AUTH, headers: {}, responseBytesMax: 10_000_000 },
    ...(command !== undefined && { command }),
    args: parseJson(args) as JsonObject,
    credential: CREDENTIAL,
    scrubber,
    ...(emit && { emit: async (piece: Piece) => void pieces.push(piece) }),
    readLarge: largeAnswers.reader({ credential: CREDENTIAL, auth: AUTH, digested: false }, signal),
    signal,
  })
  if (!outcome.answered) throw new Error(outcome.code)
  const { answer } = outcome
  const result =
    answer.type === 'serialized'
      ? Buffer.from(answer.json).toString()
      : textOf(toResult(scrubber.answer(answer).answer))
  return { result, pieces }
}

const worker: Forward = (request) => {
  const { origin } = new URL(request.endpoint.url)
  const route = { policyId: 'p', slug: 's', workers: [{ instanceId: 'i', url: origin, state: 'ready' as const }] }
  return toWorker({ route, agentId: 'a', call: crypto.randomUUID(), deadlineMs: Date.now() + 30_000 })(request)
}

/** What an answer is around the echo. */
const inResult = (args: string) => `{"content":[],"structuredContent":${args}}`
const WAYS: [string, Way, (args: string) => string][] = [
  ['an http body', { forward: http, path: '/http' }, (args) => args],
  ['a streamed http body', { forward: http, path: '/http', emit: true }, (args) => args],
  ['MCP', { forward: mcp, path: '/mcp', command: 'c' }, inResult],
  ['MCP by events', { forward: mcp, path: '/mcp', command: 'events', emit: true }, inResult],
  ['a worker', { forward: worker, path: '/', command: 'c' }, inResult],
]

describe.each(WAYS)('by %s', (_what, way, around) => {
  it('numbers keep their digits', async () => {
    await fc.assert(
      fc.asyncProperty(json, async (args) => {
        const expected = textOf(parseJson(args))
        expect((await echo(args, way)).result).toBe(around(expected))
      }),
      { numRuns: 30 },
    )
  })

  it.each([70_000, 1_100_000])('so they do in an answer of %i bytes', async (length) => {
    const args = `{"fill":"${'x'.repeat(length)}","of":[${LITERALS.join()}]}`
    const { result, pieces } = await echo(args, way)
    expect(result).toBe(around(args))
    const texts = pieces.map((piece) => (piece.type === 'text' ? piece.text : '')).join('')
    if (texts !== '') expect(texts).toBe(args)
  })
})

it('by a query numbers are their digits', async () => {
  const args = objectText(Object.fromEntries(LITERALS.map((literal, i) => [`n${i}`, literal])))
  expect((await echo(args, { forward: http, path: '/http', method: 'GET' })).result).toBe(args)
  const list = await echo('{"n":[725653563933458432],"o":{"a":1.0}}', { forward: http, path: '/http', method: 'GET' })
  expect(list.result).toBe('{"n":725653563933458432,"o":{"a":1.0}}')
})

it.each([
  ['fails', '{"error":{"code":-32000,"message":"no","data":{"id":725653563933458432}}}'],
  ['refuses', '{"error":{"code":-32000,"message":"no","data":{"id":725653563933458432}}}'],
  ['breaks', '{"error":{"message":"HTTP 500","body":{"id":725653563933458432}}}'],
])('where an MCP server %s numbers keep their digits too', async (command, expected) => {
  const { result } = await echo('{"id":725653563933458432}', { forward: mcp, path: '/mcp', command })
  expect(result).toBe(expected)
})
