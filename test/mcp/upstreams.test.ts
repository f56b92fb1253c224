import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { getHeapSnapshot } from 'node:v8'
import { describe, expect, test } from 'vitest'
import { RESPONSE_BYTES_DEFAULT } from '@vitrine/core/limits'
import { call, endpointOf, said, up, value } from './harness.ts'
import {
  everythingServer,
  freePort,
  httpServer,
  legacyServer,
  modernServer,
  serverApart,
  type TestServer,
} from './servers.ts'

/** A scripted server of the older revisions: `answer` answers tools/call; `initialize` works normally. */
function scripted(
  answer: (id: number, response: ServerResponse, request: IncomingMessage) => void,
  { session = false } = {},
): Promise<TestServer> {
  return up(
    httpServer((request, response) => {
      const { id, method } = request.body as { id?: number; method: string }
      if (method === 'server/discover') response.writeHead(404).end()
      else if (method === 'initialize')
        json(response, { jsonrpc: '2.0', id, result: INITIALIZED }, session ? { 'mcp-session-id': 's1' } : {})
      else if (id === undefined) response.writeHead(202).end()
      else answer(id, response, request)
    }),
  )
}

/** The same for a server of 2026-07-28. */
function scriptedModern(answer: (id: number, response: ServerResponse) => void): Promise<TestServer> {
  return up(
    httpServer((request, response) => {
      const { id, method } = request.body as { id: number; method: string }
      if (method === 'server/discover') json(response, { jsonrpc: '2.0', id, result: DISCOVERED })
      else answer(id, response)
    }),
  )
}

const DISCOVERED = {
  resultType: 'complete',
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: {} },
  ttlMs: 0,
  cacheScope: 'private',
}
const INITIALIZED = {
  protocolVersion: '2025-06-18',
  capabilities: { tools: {} },
  serverInfo: { name: 'scripted', version: '1' },
}

function json(response: ServerResponse, body: unknown, headers: Record<string, string> = {}): void {
  raw(response, JSON.stringify(body), headers)
}

function raw(response: ServerResponse, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body)
}

function events(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { 'content-type': 'text/event-stream' })
}

/** A server of the older revisions that answers `server/discover` with `unknown`, and counts what it is asked. */
function unaware(unknown: (response: ServerResponse, request: IncomingMessage) => void): Promise<TestServer> {
  return up(
    httpServer((request, response) => {
      const { id, method } = request.body as { id?: number; method: string }
      if (method === 'server/discover') unknown(response, request)
      else if (method === 'initialize') json(response, { jsonrpc: '2.0', id, result: INITIALIZED })
      else if (id === undefined) response.writeHead(202).end()
      else json(response, { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'done' }] } })
    }),
  )
}

async function everything(port: number): ReturnType<typeof everythingServer> {
  const server = await everythingServer(port)
  await up(Promise.resolve({ close: server.stop }))
  return server
}

describe('server-everything, as a process', () => {
  test('answers, and is connected to again after it was killed and restarted', async () => {
    const port = await freePort()
    const first = await everything(port)
    expect(said(await call(first.url, 'echo', { message: 'one' }))).toBe('Echo: one')
    expect(said(await call(first.url, 'get-sum', { a: 2, b: 3 }))).toBe('The sum of 2 and 3 is 5.')
    const slow = call(first.url, 'trigger-long-running-operation', { duration: 20, steps: 20 })
    const structured = value(await call(first.url, 'get-structured-content', { location: 'Chicago' }))
    expect(structured).toMatchObject({ structuredContent: { conditions: expect.any(String) } })
    await first.stop()
    expect(await slow).toMatchObject({ answered: false, status: 200, code: 'upstream_interrupted', sent: true })
    expect(await call(first.url, 'echo', { message: 'two' })).toEqual({
      answered: false,
      status: 0,
      code: 'upstream_unreachable',
      sent: false,
    })
    await everything(port)
    // This server answers 400, not 404, to an unknown session.
    expect(said(await call(first.url, 'echo', { message: 'three' }))).toBe('Echo: three')
  })
})

describe('a server that does not know server/discover, and says so', () => {
  const type = (text: string) => ({ 'content-type': text })
  test.each<[string, (response: ServerResponse, request: IncomingMessage) => void]>([
    ...[202, 204, 400, 401, 403, 404, 405, 406, 409, 410, 415, 422, 429, 500, 501, 502, 503, 504].map(
      (status): [string, (response: ServerResponse) => void] => [
        `with ${status}`,
        (response) => response.writeHead(status).end(),
      ],
    ),
    [
      'with 403 for want of scope',
      (r) => r.writeHead(403, { 'www-authenticate': 'Bearer error="insufficient_scope"' }).end(),
    ],
    ['with nothing', (r) => r.writeHead(200).end()],
    ['with an empty JSON body', (r) => r.writeHead(200, type('application/json')).end()],
    ['with a web page', (r) => r.writeHead(200, type('text/html')).end('<h1>Welcome</h1>')],
    ['with text', (r) => r.writeHead(200, type('text/plain')).end('no')],
    ['with broken JSON', (r) => r.writeHead(200, type('application/json')).end('{"jsonrpc"')],
    ['with an array', (r) => json(r, [])],
    ['with null', (r) => json(r, null)],
    ['with a result that is none', (r) => json(r, { jsonrpc: '2.0', id: 'other', result: {} })],
    [
      'with an error for nobody',
      (r) => json(r, { jsonrpc: '2.0', id: null, error: { code: -32600, message: 'What?' } }),
    ],
    ['with an empty stream', (r) => events(r).end()],
    ['by a redirect', (r) => r.writeHead(302, { location: '/login' }).end()],
    ['by a reset', (_r, request) => request.socket.destroy()],
  ])('%s is asked to initialize, and not asked again', async (_how, unknown) => {
    const server = await unaware(unknown)
    expect(said(await call(server.url, 'any'))).toBe('done')
    expect(said(await call(server.url, 'any', {}, { connection: 'another@1' }))).toBe('done')
    const asked = (method: string) => server.seen.filter(({ rpc }) => rpc === method)
    expect([asked('server/discover').length, asked('initialize').length]).toEqual([1, 2])
  })

  test.each<[string, (response: ServerResponse) => void]>([
    ['by never answering', () => undefined],
    ['by a stream that never ends', (response) => void events(response).write(': wait\n\n')],
  ])('%s, is waited for once, and not as long as the call may last', async (_how, unknown) => {
    const server = await unaware(unknown)
    expect(said(await call(server.url, 'any'))).toBe('done')
    expect(said(await call(server.url, 'any', {}, { connection: 'another@1' }))).toBe('done')
    expect(server.seen.filter(({ rpc }) => rpc === 'server/discover')).toHaveLength(1)
  })

  test('is reported by what it says to initialize', async () => {
    const server = await up(httpServer((_request, response) => response.writeHead(401).end('Who are you?')))
    const outcome = await call(server.url, 'any')
    expect(outcome).toMatchObject({ answered: true, status: 401, ok: false })
    expect(server.seen.map(({ rpc }) => rpc)).toEqual(['server/discover', 'initialize'])
  })
})

/** A server with sessions that forgets the first one after the first call; it answers a call in a session that it forgot with `refuse`. */
function forgetful(
  refuse: (id: number, response: ServerResponse) => void,
  { session = true, recovers = true } = {},
): Promise<TestServer> {
  let sessions = 0
  let calls = 0
  return up(
    httpServer((request, response) => {
      const { id, method } = request.body as { id: number; method: string }
      if (method === 'server/discover') response.writeHead(404).end()
      else if (method === 'initialize') {
        sessions += 1
        if (sessions > 1 && !recovers) return response.writeHead(401).end('Who are you?')
        json(response, { jsonrpc: '2.0', id, result: INITIALIZED }, session ? { 'mcp-session-id': `s${sessions}` } : {})
      } else if (id === undefined) response.writeHead(202).end()
      else if (sessions === 1 && calls++ > 0) refuse(id, response)
      else json(response, { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: `session ${sessions}` }] } })
    }),
  )
}

describe('a server that forgot the session', () => {
  const status = (code: number, body = ''): [string, (id: number, response: ServerResponse) => void] => [
    `${code} ${body}`,
    (_id, response) => response.writeHead(code, { 'content-type': 'application/json' }).end(body),
  ]
  const error = (
    httpStatus: number,
    code: number,
    message: string,
  ): [string, (id: number, response: ServerResponse) => void] => [
    `${httpStatus} ${code} ${message}`,
    (id, response) =>
      response
        .writeHead(httpStatus, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id: httpStatus === 200 ? id : null, error: { code, message } })),
  ]
  const callsOf = ({ seen }: TestServer) => seen.filter(({ rpc }) => rpc === 'tools/call').length

  test.each([
    ...[400, 401, 404, 409, 410, 422].map((code) => status(code)),
    status(400, 'Invalid session ID'),
    status(400, '{"error":"bad request"}'),
    status(401, 'Unauthorized: Session not found'),
    status(403, '{"error":"SESSION_EXPIRED"}'),
    status(422, 'Unexpected message, expect initialize request'),
    status(500, 'Session has been terminated'),
    error(400, -32000, 'Bad Request: Server not initialized'),
    error(400, -32000, 'Bad Request: No valid session ID provided'),
    error(400, -32600, 'Bad Request'),
    error(404, -32001, 'Session not found'),
    error(500, -32603, 'No active session'),
    error(200, -32001, 'Session not found'),
    error(200, -32002, 'Server not yet initialized'),
    error(200, -32600, 'Received request before initialization was complete'),
  ])('%s: gets a new one, and the call again', async (_what, refuse) => {
    const server = await forgetful(refuse)
    expect(said(await call(server.url, 'any'))).toBe('session 1')
    expect(said(await call(server.url, 'any'))).toBe('session 2')
    expect(said(await call(server.url, 'any'))).toBe('session 2')
    expect(callsOf(server)).toBe(4)
    // What it speaks is known.
    expect(server.seen.filter(({ rpc }) => rpc === 'server/discover')).toHaveLength(1)
  })

  test.each([
    error(400, -32602, 'Missing argument: session'),
    error(422, -32602, 'The session is invalid'),
    error(400, -32000, 'The payment was declined'),
    error(200, -32602, 'Session not found: browser-7'),
    error(200, -32603, 'Redis client not initialized'),
    error(200, 4001, 'No such session'),
    status(403, 'No'),
    status(500, 'Could not initialize the plot'),
    status(503, 'Busy'),
  ])('%s: says something of the call, which is not repeated', async (_what, refuse) => {
    const server = await forgetful(refuse)
    await call(server.url, 'any')
    expect(await call(server.url, 'any')).toMatchObject({ answered: true, ok: false })
    expect(callsOf(server)).toBe(2)
  })

  test('without having given one, in words alone', async () => {
    const server = await forgetful(error(400, -32000, 'Server not initialized')[1], { session: false })
    await call(server.url, 'any')
    expect(said(await call(server.url, 'any'))).toBe('session 2')
  })

  test('is not the reason where the credential is refused by initialize as well', async () => {
    const server = await forgetful(status(401)[1], { recovers: false })
    await call(server.url, 'any')
    const outcome = await call(server.url, 'any')
    expect(outcome).toMatchObject({ answered: true, status: 401, ok: false })
    expect(callsOf(server)).toBe(2)
  })
})

test.each([400, 401, 404, 500, 'nothing'])(
  'a server that answers its notification with %s is used all the same',
  async (status) => {
    const server = await up(
      httpServer((request, response) => {
        const { id, method } = request.body as { id?: number; method: string }
        if (method === 'initialize')
          json(response, { jsonrpc: '2.0', id, result: INITIALIZED }, { 'mcp-session-id': 's' })
        else if (method === 'tools/call')
          json(response, { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'done' }] } })
        else if (id !== undefined) response.writeHead(404).end()
        else if (typeof status === 'number') response.writeHead(status).end()
      }),
    )
    expect(said(await call(server.url, 'any'))).toBe('done')
    expect(said(await call(server.url, 'any'))).toBe('done')
    expect(server.seen.filter(({ rpc }) => rpc === 'initialize')).toHaveLength(1)
  },
)

describe('what is nearly JSON-RPC', () => {
  const result = { content: [{ type: 'text', text: 'done' }] }
  const error = { code: -32602, message: 'Missing argument: repo' }
  const forms: [string, (response: ServerResponse, body: unknown) => void][] = [
    ['a body', json],
    ['a stream', (response, body) => void events(response).end(`data: ${JSON.stringify(body)}\n\n`)],
  ]
  const nearly: [string, (id: number) => unknown, unknown][] = [
    ['the id as a string', (id) => ({ jsonrpc: '2.0', id: String(id), result }), result],
    ['no error beside the result', (id) => ({ jsonrpc: '2.0', id, result, error: null }), result],
    ['no jsonrpc', (id) => ({ id, result }), result],
    ['more fields', (id) => ({ jsonrpc: '2.0', id, result, took: 5 }), result],
    ['no result beside the error', (id) => ({ jsonrpc: '2.0', id, result: null, error }), { error }],
    ['an error for nobody', () => ({ jsonrpc: '2.0', id: null, error }), { error }],
    ['an error without id', () => ({ jsonrpc: '2.0', error }), { error }],
    ['both', (id) => ({ jsonrpc: '2.0', id, result, error }), { error }],
  ]
  test.each(forms.flatMap(([form, send]) => nearly.map((one) => [form, ...one, send] as const)))(
    'in %s: %s',
    async (_form, _what, message, expected, send) => {
      const server = await scripted((id, response) => send(response, message(id)))
      const outcome = await call(server.url, 'any')
      expect(outcome).toMatchObject({ answered: true, status: 200, ok: expected === result })
      expect(value(outcome)).toEqual(expected)
    },
  )

  test('an array around it', async () => {
    const server = await scripted((id, response) => json(response, [{ jsonrpc: '2.0', id: String(id), result }]))
    expect(value(await call(server.url, 'any'))).toEqual(result)
  })

  test('lines that end with CR alone, before the stream goes on', async () => {
    const server = await scripted((id, response) => {
      events(response).write(`event: message\rdata: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\r\r`)
    })
    expect(value(await call(server.url, 'any'))).toEqual(result)
  })

  test('an answer to something else is none', async () => {
    const server = await scripted((id, response) => json(response, { jsonrpc: '2.0', id: id + 1, result }))
    expect(await call(server.url, 'any')).toMatchObject({ answered: false, code: 'upstream_invalid', sent: true })
  })
})

describe('what the result holds', () => {
  test('comes back as it was sent, known to the protocol or not', async () => {
    const result = {
      _meta: { 'example.org/trace': 7 },
      content: [
        { type: 'hologram', depth: { z: [1] } },
        { type: 'text', text: 'x', extra: true, annotations: { mood: 'good' } },
      ],
      structuredContent: [1, 2],
      unheardOf: null,
      isError: false,
    }
    const server = await scripted((id, response) => json(response, { jsonrpc: '2.0', id, result }))
    const outcome = await call(server.url, 'any')
    expect(outcome).toMatchObject({ answered: true, status: 200, ok: true })
    expect(value(outcome)).toEqual(result)
  })

  test('an error of the server is an answer with its code, message and data', async () => {
    const error = { code: -32602, message: 'No such tool', data: { uri: 'x:y', more: [1] } }
    const server = await scripted((id, response) => json(response, { jsonrpc: '2.0', id, error }))
    const outcome = await call(server.url, 'any')
    expect(outcome).toMatchObject({ answered: true, status: 200, ok: false })
    expect(value(outcome)).toEqual({ error })
  })

  test('input_required passes through and is not ok', async () => {
    const result = {
      resultType: 'input_required',
      inputRequests: { a: { method: 'elicitation/create', params: { odd: 1 } } },
      requestState: 'opaque',
      extra: 1,
    }
    const server = await scriptedModern((id, response) => json(response, { jsonrpc: '2.0', id, result }))
    const outcome = await call(server.url, 'any')
    expect(outcome).toMatchObject({ answered: true, status: 200, ok: false })
    expect(value(outcome)).toEqual(result)
  })

  test('arguments that the tool wants in headers are sent there too', async () => {
    const server = await up(modernServer())
    const regions = ['eu', 'us', 'köln']
    const outcomes = await Promise.all(regions.map((region) => call(server.url, 'routed', { region })))
    expect(outcomes.map(said)).toEqual(['eu', 'us', `=?base64?${Buffer.from('köln').toString('base64')}?=`])
    const before = server.seen.length
    expect(said(await call(server.url, 'routed', { region: 'asia' }))).toBe('asia')
    expect(server.seen.slice(before).map(({ rpc }) => rpc)).toEqual(['tools/call'])
  })
})

describe('credentials', () => {
  test.each([
    { auth: { scheme: 'bearer' as const }, header: 'authorization', sent: 'Bearer s3cret' },
    { auth: { scheme: 'basic' as const, username: 'me' }, header: 'authorization', sent: `Basic ${btoa('me:s3cret')}` },
    { auth: { scheme: 'header' as const, name: 'x-api-key' }, header: 'x-api-key', sent: 's3cret' },
  ])('are sent as $auth.scheme with every request, beside the static headers', async ({ auth, header, sent }) => {
    const server = await up(legacyServer())
    const endpoint = endpointOf(server.url, { auth, headers: { 'x-team': 'blue', accept: 'text/plain' } })
    expect(await call(server.url, 'add', { a: 1, b: 1 }, { endpoint, credential: 's3cret' })).toMatchObject({
      ok: true,
    })
    expect(server.seen.length).toBeGreaterThan(2)
    for (const { headers } of server.seen)
      expect(headers).toMatchObject({
        [header]: sent,
        'x-team': 'blue',
        accept: expect.stringContaining('event-stream'),
      })
  })

  test('are sent in the query where the registration says so', async () => {
    const server = await up(legacyServer())
    const url = `${server.url}?v=2`
    const endpoint = endpointOf(url, { auth: { scheme: 'query', name: 'key' } })
    expect(await call(url, 'add', { a: 1, b: 1 }, { endpoint, credential: 's3 cret' })).toMatchObject({ ok: true })
    for (const seen of server.seen) expect(new URL(seen.url, server.url).search).toBe('?v=2&key=s3%20cret')
  })

  test('are held by nothing that outlives the call', async () => {
    for (const kind of ['legacy', 'modern'] as const) {
      const server = await up(serverApart(kind))
      for (let i = 0; i < 3; i++)
        expect(await call(server.url, 'add', { a: i, b: i }, { credential: newSecret() })).toMatchObject({ ok: true })
      const caller = new AbortController()
      const given = call(server.url, 'slow', {}, { credential: newSecret(), signal: caller.signal })
      // Once another call is answered, the slow one is under way.
      await call(server.url, 'add', { a: 1, b: 1 }, { credential: newSecret() })
      caller.abort('cancelled')
      await given
      await call(server.url, 'add', { a: 1, b: 1 }, { credential: newSecret() })
    }
    const held = { connection: 'still here', text: newSecret() }
    // The stack may still hold the last call's data.
    await expect.poll(secretsAlive).toEqual([held.text])
  })

  test('end where a redirect leads to another origin, and stay within their own', async () => {
    const other = await up(modernServer())
    const server = await up(httpServer((_request, response) => response.writeHead(307, { location: other.url }).end()))
    const endpoint = endpointOf(server.url, { headers: { 'x-team': 'blue' } })
    expect(
      said(
        await call(server.url, 'whoami', {}, { endpoint, credential: 's3cret', headers: { 'idempotency-key': 'k1' } }),
      ),
    ).toBe('nobody')
    expect(JSON.stringify(other.seen)).not.toMatch(/s3cret|blue|k1/)
  })

  test("one that is refused while connecting is its own caller's trouble", async () => {
    const inner = await up(modernServer())
    const server = await up(
      httpServer((request, response) => {
        if (request.headers.authorization !== 'Bearer good')
          return void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('who are you?')
        void fetch(inner.url, {
          method: 'POST',
          body: JSON.stringify(request.body),
          headers: forwardable(request),
        }).then(async (answer) => {
          response
            .writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
            .end(await answer.text())
        })
      }),
    )
    const credentials = ['bad', 'good', 'worse', 'good', 'bad']
    const outcomes = await Promise.all(
      credentials.map((credential) => call(server.url, 'add', { a: 1, b: 1 }, { credential })),
    )
    const refused = {
      answered: true,
      status: 401,
      ok: false,
      answer: { type: 'json', value: { error: { message: 'HTTP 401', body: 'who are you?' } } },
    }
    outcomes.forEach((outcome, i) =>
      credentials[i] === 'good' ? expect(said(outcome)).toBe('2') : expect(outcome).toEqual(refused),
    )
    expect(said(await call(server.url, 'add', { a: 1, b: 1 }, { credential: 'good' }))).toBe('2')
    expect(await call(server.url, 'add', { a: 1, b: 1 }, { credential: 'bad' })).toEqual(refused)
  })
})

function forwardable({ headers }: IncomingMessage): Record<string, string> {
  const names = ['content-type', 'accept', 'mcp-protocol-version', 'mcp-method', 'mcp-name']
  return Object.fromEntries(
    names.filter((name) => headers[name] !== undefined).map((name) => [name, String(headers[name])]),
  )
}

function newSecret(): string {
  // Converting through bytes makes one flat string; a snapshot would not show a concatenated one whole.
  return Buffer.from(`5ecret-${randomUUID()}`).toString()
}

/** The secrets in a snapshot of this process's heap, taken after a garbage collection. */
async function secretsAlive(): Promise<string[]> {
  const found = new Set<string>()
  let tail = ''
  for await (const chunk of getHeapSnapshot()) {
    const text = tail + String(chunk)
    for (const [secret] of text.matchAll(/5ecret-[0-9a-f-]{36}/g)) found.add(secret)
    tail = text.slice(-50)
  }
  return [...found]
}

describe('what does not answer as it should', () => {
  test('nothing listens: no response line, so status 0', async () => {
    const port = await freePort()
    const outcomes = await Promise.all([1, 2, 3].map(() => call(`http://127.0.0.1:${port}/mcp`, 'any')))
    for (const outcome of outcomes)
      expect(outcome).toEqual({ answered: false, status: 0, code: 'upstream_unreachable', sent: false })
  })

  test('a failed connection is not remembered', async () => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/mcp`
    await call(url, 'add', { a: 1, b: 1 })
    await up(legacyServer({ port }))
    expect(said(await call(url, 'add', { a: 1, b: 1 }))).toBe('2')
  })

  test.each([['application/json', 'application/json'], ['application/json,charset=utf-8'], ['text/x-json'], []])(
    'JSON is JSON whatever its type is written like: %s %s',
    async (...types) => {
      const server = await scripted((id, response) => {
        if (types.length > 0) response.setHeader('content-type', types)
        response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'here' }] } }))
      })
      expect(said(await call(server.url, 'any'))).toBe('here')
    },
  )

  test('a page of HTML is not MCP', async () => {
    const server = await up(
      httpServer((_request, response) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'),
      ),
    )
    expect(await call(server.url, 'any')).toEqual({
      answered: false,
      status: 200,
      code: 'upstream_invalid',
      sent: false,
    })
  })

  test.each([
    [
      'not JSON',
      (_id: number, response: ServerResponse) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":'),
    ],
    ['JSON that is not JSON-RPC', (_id: number, response: ServerResponse) => json(response, { hello: 'world' })],
    [
      'an answer to another request',
      (id: number, response: ServerResponse) => json(response, { jsonrpc: '2.0', id: id + 1000, result: {} }),
    ],
    [
      'JSON too deep to walk',
      (id: number, response: ServerResponse) =>
        raw(response, `{"jsonrpc":"2.0","id":${id},"result":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`),
    ],
    ['no answer at all', (_id: number, response: ServerResponse) => response.writeHead(202).end()],
    [
      'HTML',
      (_id: number, response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    ],
  ])('%s in place of a result', async (_name, answer) => {
    const server = await scripted(answer)
    expect(await call(server.url, 'any')).toMatchObject({
      answered: false,
      status: expect.any(Number),
      code: 'upstream_invalid',
      sent: true,
    })
  })

  test.each([
    ['a stream that ends without it', (response: ServerResponse) => events(response).end(': nothing\n\n')],
    [
      'a stream that breaks off',
      (response: ServerResponse) => events(response).write('data: {"jsonrpc"', () => response.destroy()),
    ],
    [
      'a body that breaks off',
      (response: ServerResponse) =>
        response
          .writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
          .write('{', () => response.destroy()),
    ],
  ])('%s', async (_name, answer) => {
    const server = await scripted((_id, response) => void answer(response))
    expect(await call(server.url, 'any')).toEqual({
      answered: false,
      status: 200,
      code: 'upstream_interrupted',
      sent: true,
    })
  })

  test('a stream that is cut and continued where the server offers that', async () => {
    const server = await up(
      httpServer((request, response) => {
        if (request.method === 'GET')
          return void events(response).end(
            `id: 2\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content: [], resumed: request.headers['last-event-id'] } })}\n\n`,
          )
        const { id, method } = request.body as { id?: number; method: string }
        if (method === 'initialize') json(response, { jsonrpc: '2.0', id, result: INITIALIZED })
        else if (method === 'tools/call') events(response).end('retry: 10\nid: 1\ndata: \n\n')
        else response.writeHead(id === undefined ? 202 : 404).end()
      }),
    )
    const outcome = await call(server.url, 'any', {}, { credential: 's3cret' })
    expect(value(outcome)).toEqual({ content: [], resumed: '1' })
    expect(server.seen.at(-1)).toMatchObject({ method: 'GET', headers: { authorization: 'Bearer s3cret' } })
  })

  test.each([
    [
      'JSON',
      (id: number, response: ServerResponse) =>
        json(response, {
          jsonrpc: '2.0',
          id,
          result: { content: [{ type: 'text', text: 'x'.repeat(RESPONSE_BYTES_DEFAULT) }] },
        }),
    ],
    [
      'a stream',
      (_id: number, response: ServerResponse) =>
        events(response).end(`: ${'x'.repeat(1000)}\n`.repeat(RESPONSE_BYTES_DEFAULT / 1000)),
    ],
  ])('%s larger than it may be', async (_name, answer) => {
    const server = await scripted(answer)
    expect(await call(server.url, 'any')).toEqual({
      answered: false,
      status: 200,
      code: 'upstream_too_large',
      sent: true,
    })
  })

  test.each([403, 429, 500, 503])('HTTP %i', async (status) => {
    const server = await scripted((_id, response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"error":"busy"}'),
    )
    const outcome = await call(server.url, 'any')
    expect(outcome).toMatchObject({ answered: true, status, ok: false })
    expect(value(outcome)).toEqual({ error: { message: `HTTP ${status}`, body: { error: 'busy' } } })
    expect(server.seen.filter(({ rpc }) => rpc === 'tools/call')).toHaveLength(1)
  })

  test('a challenge for more scope', async () => {
    const challenge = { 'www-authenticate': 'Bearer error="insufficient_scope", scope="write"' }
    const server = await scripted((_id, response) => response.writeHead(403, challenge).end('more'))
    expect(await call(server.url, 'any')).toMatchObject({ answered: true, status: 403, ok: false })
  })

  test('a reset before the response line', async () => {
    const server = await scripted((_id, _response, request) => request.socket.destroy())
    expect(await call(server.url, 'any')).toEqual({
      answered: false,
      status: 0,
      code: 'upstream_unreachable',
      sent: true,
    })
  })

  test('a session that is lost over and over is not asked for without end', async () => {
    const server = await scripted((_id, response) => response.writeHead(404).end(), { session: true })
    expect(await call(server.url, 'any')).toMatchObject({ answered: true, status: 404, ok: false })
    expect(server.seen.filter(({ rpc }) => rpc === 'tools/call')).toHaveLength(2)
  })

  test('404 without a session is an answer, and the call is not repeated', async () => {
    const server = await scripted((_id, response) => response.writeHead(404).end())
    expect(await call(server.url, 'any')).toMatchObject({ answered: true, status: 404, ok: false })
    expect(server.seen.filter(({ rpc }) => rpc === 'tools/call')).toHaveLength(1)
  })

  test('a refusal that an older server might give is not repeated to one that is not older', async () => {
    const server = await scriptedModern((_id, response) => response.writeHead(404).end())
    expect(await call(server.url, 'any')).toMatchObject({ answered: true, status: 404, ok: false })
    expect(server.seen.map(({ rpc }) => rpc)).toEqual(['server/discover', 'tools/call', 'server/discover'])
  })

  test('a server that speaks another revision after an upgrade or a downgrade', async () => {
    const first = await modernServer()
    await call(first.url, 'add', { a: 1, b: 1 })
    await first.close()
    expect(await call(first.url, 'add', { a: 1, b: 1 })).toMatchObject({ answered: false, status: 0 })
    const second = await legacyServer({ port: first.port })
    expect(said(await call(first.url, 'add', { a: 1, b: 2 }))).toBe('3')
    await second.close()
    expect(await call(first.url, 'add', { a: 1, b: 1 })).toMatchObject({ answered: false, status: 0 })
    await up(modernServer({ port: first.port, legacy: 'reject' }))
    expect(said(await call(first.url, 'add', { a: 1, b: 3 }))).toBe('4')
  })
})

describe('giving up', () => {
  test('before it began', async () => {
    const server = await up(legacyServer())
    expect(await call(server.url, 'add', {}, { signal: AbortSignal.abort('cancelled') })).toEqual({
      answered: false,
      status: 0,
      code: 'cancelled',
      sent: false,
    })
    expect(server.seen).toEqual([])
  })

  test('between having the connection and using it', async () => {
    const server = await up(modernServer())
    await call(server.url, 'add', { a: 1, b: 1 })
    const before = server.seen.length
    const caller = new AbortController()
    const given = call(server.url, 'slow', {}, { signal: caller.signal })
    caller.abort('cancelled')
    expect(await given).toEqual({ answered: false, status: 0, code: 'cancelled', sent: false })
    expect(server.seen).toHaveLength(before)
  })

  test('while connecting leaves the connection to those who still wait', async () => {
    const asked = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    const server = await up(
      httpServer((request, response) => {
        const { id, method } = request.body as { id?: number; method: string }
        if (method === 'initialize') {
          asked.resolve()
          void go.promise.then(() => json(response, { jsonrpc: '2.0', id, result: INITIALIZED }))
        } else if (method === 'tools/call') json(response, { jsonrpc: '2.0', id, result: { content: [] } })
        else response.writeHead(id === undefined ? 202 : 404).end()
      }),
    )
    const first = new AbortController()
    const given = call(server.url, 'any', {}, { signal: first.signal })
    const waiting = call(server.url, 'any')
    await asked.promise
    first.abort('upstream_timeout')
    expect(await given).toEqual({ answered: false, status: 404, code: 'upstream_timeout', sent: false })
    go.resolve()
    expect(await waiting).toMatchObject({ answered: true, ok: true })
    expect(server.seen.filter(({ rpc }) => rpc === 'initialize')).toHaveLength(1)
  })

  test('while connecting, by everybody, ends the attempt', async () => {
    const closed = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const server = await up(
      httpServer((request) => {
        request.socket.on('close', () => closed.resolve())
        asked.resolve()
      }),
    )
    const caller = new AbortController()
    const given = call(server.url, 'any', {}, { signal: caller.signal })
    await asked.promise
    caller.abort('upstream_timeout')
    // A new caller must not wait for the attempt that was just given up.
    const another = new AbortController()
    const next = call(server.url, 'any', {}, { signal: another.signal })
    expect(await given).toEqual({ answered: false, status: 0, code: 'upstream_timeout', sent: false })
    await closed.promise
    await expect.poll(() => server.seen.length).toBe(2)
    another.abort('cancelled')
    expect(await next).toEqual({ answered: false, status: 0, code: 'cancelled', sent: false })
  })

  test('tells a server of the older revisions, with the credential', async () => {
    const server = await up(legacyServer())
    const caller = new AbortController()
    const given = call(server.url, 'slow', {}, { signal: caller.signal, credential: 's3cret' })
    await server.started
    caller.abort('upstream_timeout')
    await given
    await expect
      .poll(() => server.seen.find(({ rpc }) => rpc === 'notifications/cancelled')?.headers.authorization)
      .toBe('Bearer s3cret')
  })

  test('a stream that goes on after the answer is closed', async () => {
    const closed = Promise.withResolvers<void>()
    const server = await scripted((id, response) => {
      response.on('close', closed.resolve)
      events(response).write(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } })}\n\n`)
    })
    expect(await call(server.url, 'any')).toMatchObject({ answered: true, ok: true })
    await closed.promise
  })
})
