import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { canonical, checkChain } from './chain.ts'
import { all, streamed } from './event-stream.ts'
import { startUpstream, type Hit, type Upstream } from './upstream.ts'
import { done, failed, invoke, leaks, newAgent, newAgentWith, newSecret, register, type Agent } from './world.ts'

/** Sends answers large enough to be read in a thread through the real stack. */

const REDACTED = '[redacted:credential]'
const ROWS = Array.from({ length: 20_000 }, (_, id) => ({ id, name: `row ${id}`, tags: ['a', 'é'] }))

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream({
    rows: (hit, response) =>
      send(response, 'application/json', JSON.stringify({ rows: ROWS, seen: hit.headers.authorization })),
    plain: (hit, response) => send(response, 'text/plain', `${'x'.repeat(500_000)}${hit.headers.authorization}`),
    picture: (_hit, response) => send(response, 'image/png', Buffer.alloc(400_000, 0xfe)),
    heavy: (_hit, response) => send(response, 'application/json', `[${'{},'.repeat(2_500_000)}1]`),
    mcp,
    mcpEvents: mcp,
  })
})
afterAll(() => upstream.close())
afterEach(() => expect(leaks()).toEqual([]))

function send(response: ServerResponse, contentType: string, body: string | Buffer): void {
  response.writeHead(200, { 'content-type': contentType }).end(body)
}

function mcp(hit: Hit, response: ServerResponse): void {
  const { id, method } = JSON.parse(hit.body || '{}') as { id?: number; method?: string }
  const results: Record<string, object> = {
    initialize: {
      protocolVersion: '2025-06-18',
      capabilities: { tools: {} },
      serverInfo: { name: 'large', version: '1' },
    },
    'tools/list': { tools: [{ name: 'get', inputSchema: { type: 'object' } }] },
    'tools/call': {
      content: [{ type: 'text', text: `I got ${hit.headers.authorization}` }],
      structuredContent: { rows: ROWS },
    },
  }
  const result = method === undefined ? undefined : results[method]
  if (result === undefined) return void response.writeHead(id === undefined ? 202 : 404).end()
  const message = JSON.stringify({ jsonrpc: '2.0', id, result })
  if (hit.url.startsWith('/mcpEvents')) return send(response, 'text/event-stream', `data: ${message}\n\n`)
  send(response, 'application/json', message)
}

async function redactionsOf(agent: Agent): Promise<unknown> {
  const { entries, open } = await checkChain(`agents/${agent.id}`)
  expect(open).toEqual([])
  return entries.findLast(({ action }) => action === 'tool.invoke')!.meta['redactions']
}

describe('[answer.large] a large answer', () => {
  it('of JSON comes whole and scrubbed, and again as the digest of it', async () => {
    const agent = await newAgentWith(`${upstream.origin}/rows`, { authToken: newSecret() })
    const result = { rows: ROWS, seen: `Bearer ${REDACTED}` }
    const resultDigest = `sha256:${createHash('sha256').update(canonical(result)).digest('hex')}`
    const first = await done(invoke(agent, { idempotencyKey: 'k' }))
    expect(first).toMatchObject({ status: 200, ok: true, resultDigest })
    expect(first['result']).toEqual(result)
    expect(await redactionsOf(agent)).toBe(1)
    expect(await done(invoke(agent, { idempotencyKey: 'k' }))).toMatchObject({
      status: 200,
      ok: true,
      result: null,
      resultDigest,
      replayed: true,
    })
  })

  it('of JSON is whole at the end of a stream, too', async () => {
    const agent = await newAgentWith(`${upstream.origin}/rows`, { authToken: newSecret() })
    const lines = await all(streamed(agent))
    expect(lines.slice(0, -1).every((line) => 'message' in line)).toBe(true)
    const last = lines.at(-1) as { result: Record<string, unknown> }
    expect(last.result).toMatchObject({ status: 200, ok: true, receipt: { seq: expect.any(Number) as unknown } })
    expect(last.result['result']).toEqual({ rows: ROWS, seen: `Bearer ${REDACTED}` })
    expect(await redactionsOf(agent)).toBe(2)
  })

  it('of text or bytes comes whole', async () => {
    const agent = await newAgentWith(`${upstream.origin}/plain`, { authToken: newSecret() })
    expect((await done(invoke(agent)))['result']).toBe(`${'x'.repeat(500_000)}Bearer ${REDACTED}`)
    await register(agent, { name: 'picture', url: `${upstream.origin}/picture` })
    expect((await done(invoke(agent, { name: 'picture' })))['result']).toEqual({
      base64: Buffer.alloc(400_000, 0xfe).toString('base64'),
      contentType: 'image/png',
    })
  })

  it.each(['mcp', 'mcpEvents'])('of an MCP server comes whole (%s)', async (path) => {
    const agent = await newAgent()
    await register(agent, { kind: 'mcp', url: `${upstream.origin}/${path}`, authToken: newSecret() })
    const answer = await done(invoke(agent, { name: 'tool__get' }))
    expect(answer).toMatchObject({ status: 200, ok: true })
    expect(answer['result']).toEqual({
      content: [{ type: 'text', text: `I got Bearer ${REDACTED}` }],
      structuredContent: { rows: ROWS },
    })
    expect(await redactionsOf(agent)).toBe(1)
  })

  it('that would take too much memory is refused, and costs no other call its answer', async () => {
    const agent = await newAgentWith(`${upstream.origin}/heavy`)
    await register(agent, { name: 'plain', url: `${upstream.origin}/plain` })
    const [heavy, plain] = await Promise.all([
      failed(invoke(agent), 'upstream_too_large'),
      done(invoke(agent, { name: 'plain' })),
    ])
    expect(heavy.details).toMatchObject({ status: 200 })
    expect(plain).toMatchObject({ status: 200, ok: true })
  })
})
