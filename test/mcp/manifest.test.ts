import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, describe, expect, test } from 'vitest'
import { parseJson } from '@vitrine/core/json/parse'
import type { JsonObject } from '@vitrine/core/json/value'
import { MANIFEST_BYTES_MAX } from '@vitrine/core/limits'
import { createDispatcher } from '../../functions/src/egress/agent.ts'
import { fetchManifest, type Manifest } from '../../functions/src/manifest/fetch.ts'
import { unlistedWarning } from '../../functions/src/manifest/unlisted.ts'
import { STRICT } from '../../functions/src/egress/policy.ts'
import { endpointOf, LOOPBACK, up } from './harness.ts'
import { freePort, httpServer, legacyServer, modernServer, type TestServer } from './servers.ts'

const dispatcher = createDispatcher({ policy: LOOPBACK })
afterAll(() => dispatcher.destroy())

function manifestOf(
  url: string,
  credential: string | null = null,
  signal = new AbortController().signal,
): ReturnType<typeof fetchManifest> {
  return fetchManifest({ dispatcher, egress: LOOPBACK, endpoint: endpointOf(url), credential, signal })
}

async function got(url: string): Promise<Manifest> {
  const manifest = await manifestOf(url)
  if (!manifest.ok) throw new Error(JSON.stringify(manifest))
  return manifest.value
}

/** A server with scripted lists; the cursor is the number of the page. */
function listing(page: (number: number) => JsonObject | null): Promise<TestServer> {
  return up(
    httpServer((request, response) => {
      const { id, method, params } = request.body as { id?: number; method: string; params?: { cursor?: string } }
      const initialized = {
        protocolVersion: '2025-11-25',
        capabilities: {},
        serverInfo: { name: 'lists', version: '3', title: 'Lists' },
      }
      const result = method === 'initialize' ? initialized : page(Number(params?.cursor ?? 0))
      if (method === 'server/discover' || id === undefined) response.writeHead(id === undefined ? 202 : 404).end()
      else
        json(
          response,
          result
            ? { jsonrpc: '2.0', id, result }
            : { jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } },
        )
    }),
  )
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

describe('a manifest', () => {
  test('of a server of 2026-07-28', async () => {
    const server = await up(modernServer())
    const manifest = await got(server.url)
    expect(manifest).toMatchObject({ protocolVersion: '2026-07-28', server: { name: 'modern', version: '1.2.3' } })
    expect(manifest.tools.map((tool) => (tool as JsonObject)['name'])).toEqual([
      'whoami',
      'add',
      'fail',
      'slow',
      'routed',
    ])
  })

  test('of a server of the older revisions, whose session ends with it', async () => {
    const server = await up(legacyServer())
    const manifest = await manifestOf(server.url, 's3cret')
    expect(manifest).toMatchObject({
      ok: true,
      value: { protocolVersion: '2025-11-25', server: { name: 'legacy', version: '0.9' } },
    })
    expect(server.sessions.size).toBe(0)
    expect(server.seen.every(({ headers }) => headers.authorization === 'Bearer s3cret')).toBe(true)
  })

  test('keeps the digits of its numbers', async () => {
    const tools = '[{"name":"a","inputSchema":{"maximum":18446744073709551615,"default":1.0}}]'
    const server = await listing(() => parseJson(`{"tools":${tools},"nextCursor":null}`) as JsonObject)
    expect(JSON.stringify((await got(server.url)).tools)).toBe(tools)
  })

  test('has the tools of all pages, exactly as they were sent', async () => {
    const tool = (name: number) => ({
      name: `tool-${name}`,
      inputSchema: { type: 'object', 'x-odd': [1] },
      outputSchema: { $ref: 'https://elsewhere.example/schema' },
      annotations: { readOnlyHint: true, mood: 'good' },
      icons: [{ src: 'data:,', tint: 'red' }],
      _meta: { 'example.org/a': null },
      unheardOf: { deep: true },
    })
    const server = await listing((number) => ({
      tools: [tool(number), { name: 7 }],
      ...(number < 3 && { nextCursor: String(number + 1) }),
    }))
    // What a later page repeats counts once.
    const expected = [tool(0), { name: 7 }, tool(1), tool(2), tool(3)]
    expect(await got(server.url)).toEqual({
      protocolVersion: '2025-11-25',
      server: { name: 'lists', version: '3' },
      tools: expected,
    })
  })

  test.each<[string, (number: number) => unknown, number]>([
    ['is empty', () => '', 1],
    ['is null', () => null, 1],
    ['is no text', (number) => number + 1, 1],
    ['is always the same', () => '1', 2],
    ['goes in circles', (number) => String((number + 1) % 3), 4],
  ])('ends where the cursor %s', async (_how, cursor, lists) => {
    const server = await listing((number) => ({
      tools: [{ name: `tool-${number}` }],
      nextCursor: cursor(number) as string,
    }))
    const seen = new Set([...Array(lists).keys()].map((list) => (list === 3 ? 0 : list)))
    expect((await got(server.url)).tools).toEqual([...seen].map((number) => ({ name: `tool-${number}` })))
    expect(server.seen.filter(({ rpc }) => rpc === 'tools/list')).toHaveLength(lists)
  })
})

describe('no manifest, and no exception', () => {
  test('from a server that does not know tools/list', async () => {
    const refused = { code: 'upstream_invalid', message: 'The server refused to list its tools.' }
    expect(await manifestOf((await listing(() => null)).url)).toEqual({ ok: false, error: refused })
  })

  const large = { name: 'x'.repeat(MANIFEST_BYTES_MAX / 4) }
  test.each<[string, (number: number) => JsonObject, string]>([
    ['one page that is too large', () => ({ tools: Array(5).fill(large) as JsonObject[] }), 'upstream_too_large'],
    [
      'pages that are too large together',
      (number) => ({ tools: [{ ...large, number }], nextCursor: String(number + 1) }),
      'upstream_too_large',
    ],
    ['pages without end', (number) => ({ tools: [], nextCursor: String(number + 1) }), 'upstream_too_large'],
    ['a list that is none', () => ({ tools: 'many' }), 'upstream_invalid'],
  ])('from a server with %s', async (_name, page, code) => {
    const server = await listing(page)
    expect(await manifestOf(server.url)).toMatchObject({ ok: false, error: { code } })
    expect(server.seen.length).toBeLessThan(80)
  })

  test('from one that refuses the credential, which it repeats', async () => {
    const server = await up(
      httpServer((request, response) => response.writeHead(401).end(request.headers.authorization)),
    )
    const manifest = await manifestOf(server.url, 's3cret')
    expect(manifest).toEqual({
      ok: false,
      error: { code: 'upstream_invalid', message: 'The server answered with HTTP 401.', details: { status: 401 } },
    })
  })

  test('from one that is not MCP', async () => {
    const server = await up(
      httpServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>')),
    )
    expect(await manifestOf(server.url)).toEqual({ ok: false, error: { code: 'upstream_invalid' } })
  })

  test('from one that is not there', async () => {
    expect(await manifestOf(`http://127.0.0.1:${await freePort()}/mcp`)).toEqual({
      ok: false,
      error: { code: 'upstream_unreachable' },
    })
  })

  test.each([
    ['with a deadline of the platform', () => AbortSignal.timeout(50)],
    ['with one that is over', () => AbortSignal.abort('upstream_timeout')],
  ])('from one that says nothing, %s', async (_name, signal) => {
    const server = await up(httpServer(() => undefined))
    expect(await manifestOf(server.url, null, signal())).toEqual({ ok: false, error: { code: 'upstream_timeout' } })
  })

  test('from an address that tools may not reach', async () => {
    const server = await up(modernServer())
    const guarded = createDispatcher({ policy: STRICT })
    const manifest = await fetchManifest({
      dispatcher: guarded,
      egress: STRICT,
      endpoint: endpointOf(server.url),
      credential: null,
      signal: new AbortController().signal,
    })
    await guarded.destroy()
    expect(manifest).toEqual({ ok: false, error: { code: 'blocked_url' } })
    expect(server.seen).toEqual([])
  })
})

describe('what an owner is told of a server that lists nothing', () => {
  const html = { 'content-type': 'text/html' }
  test.each<[string, (response: ServerResponse, request: IncomingMessage) => void, RegExp]>([
    ['401', (response) => response.writeHead(401).end(), /the server answered 401: it wants another credential/],
    ['403', (response) => response.writeHead(403).end(), /the server answered 403/],
    ['429', (response) => response.writeHead(429).end(), /the server answered 429/],
    ['500', (response) => response.writeHead(500).end('s3cret'), /the server answered 500\./],
    ['a redirect', (response) => response.writeHead(302, { location: '/login' }).end(), /the server answered 302/],
    ['a web page', (response) => response.writeHead(200, html).end('<p>'), /does not answer in MCP/],
    ['a reset', (_response, request) => request.socket.destroy(), /could not be reached|broke off/],
    [
      'an event stream of 2024-11-05',
      (response, { method }) =>
        method === 'POST'
          ? response.writeHead(405).end()
          : response
              .writeHead(200, { 'content-type': 'text/event-stream' })
              .write('event: endpoint\ndata: /messages\n\n'),
      /HTTP\+SSE of 2024-11-05, which is not supported/,
    ],
  ])('since it answers %s', async (_what, answer, expected) => {
    const server = await up(httpServer((request, response) => answer(response, request)))
    const found = await manifestOf(server.url, 's3cret')
    if (found.ok) throw new Error('listed')
    const network = { dispatcher, egress: LOOPBACK }
    const warning = await unlistedWarning(network, endpointOf(server.url), 's3cret', found.error)
    expect(warning).toMatch(expected)
    expect(warning).not.toContain('s3cret')
  })
})
