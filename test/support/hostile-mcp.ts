import { echoes, secretOf } from './hostile-echo.ts'
import type { Behaviour, Talk } from './hostile-upstream.ts'

/** Misbehaviours of MCP servers: each negotiates a revision correctly, then answers tools/call wrongly. */

interface Rpc {
  id?: number
  method?: string
  params?: { _meta?: { progressToken?: unknown } }
}

type Answer = (talk: Talk, id: number, token: unknown) => void

const INITIALIZED = {
  protocolVersion: '2025-06-18',
  capabilities: { tools: {} },
  serverInfo: { name: 'hostile', version: '1' },
}
const EVENTS = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'
const DRIP_MS = 20
/** Made once: to write it as JSON takes longer than the call that must refuse it. */
const HUGE = Buffer.alloc(30_000_000, 'x')

function server(answer: Answer): Behaviour {
  return async (talk) => {
    const { id, method, params } = JSON.parse((await talk.body) || '{}') as Rpc
    if (method === 'initialize') return json(talk, { jsonrpc: '2.0', id, result: INITIALIZED })
    if (method === 'tools/call' && id !== undefined) return answer(talk, id, params?._meta?.progressToken)
    talk.send(`HTTP/1.1 ${id === undefined ? '202 Accepted' : '404 Not Found'}\r\nContent-Length: 0\r\n\r\n`)
  }
}

function json({ send }: Talk, value: unknown): void {
  const body = JSON.stringify(value)
  send(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

const result = (id: unknown, text: string) => ({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } })
const event = (message: unknown) => `event: message\ndata: ${JSON.stringify(message)}\n\n`
const progress = (progressToken: unknown, step: number) =>
  event({
    jsonrpc: '2.0',
    method: 'notifications/progress',
    params: { progressToken, progress: step, total: 3, message: `step ${step}` },
  })

function flooding(start: string, chunk: string): Answer {
  return ({ send, flood }) => {
    send(EVENTS, start)
    flood(chunk)
  }
}

export const mcpBehaviours: Record<string, Behaviour> = {
  '/mcp/healthy': server((talk, id) => json(talk, result(id, 'well'))),
  '/mcp/progress': server(({ send, socket }, id, token) => {
    send(EVENTS, progress(token, 1), progress(token, 2), progress('of-somebody-else', 9), event(result(id, 'well')))
    socket.end()
  }),
  '/mcp/progress-after-result': server(({ send, socket }, id, token) => {
    send(EVENTS, progress(token, 1), event(result(id, 'well')), progress(token, 2))
    socket.end()
  }),
  '/mcp/progress-flood': server((talk, _id, token) => flooding('', progress(token, 1).repeat(500))(talk, 0, token)),
  '/mcp/ping-flood': server(({ send, every }, id) => {
    send(EVENTS)
    every(1, (turn) =>
      send(
        event({ jsonrpc: '2.0', id: `ping-${turn}`, method: 'ping' }),
        turn === 200 ? event(result(id, 'well')) : '',
      ),
    )
  }),
  '/mcp/silent': server(() => undefined),
  '/mcp/slow-events': server(({ send, every }) => {
    send(EVENTS)
    every(DRIP_MS, () => send(': still here\n\n'))
  }),
  '/mcp/error-echo': server((talk, id) =>
    json(talk, {
      jsonrpc: '2.0',
      id,
      error: { code: -32000, message: `Bad key ${secretOf(talk.request)}`, data: echoes(secretOf(talk.request)) },
    }),
  ),
  '/mcp/result-echo': server((talk, id) =>
    json(talk, result(id, Object.values(echoes(secretOf(talk.request))).join('\n'))),
  ),
  '/mcp/refusal-echo': server(({ send, request }) => {
    const body = `who is ${secretOf(request)}?`
    send(
      `HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error="invalid_token", error_description="${secretOf(request)}"\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  }),
  '/mcp/wrong-id': server((talk, id) => json(talk, result(id + 1_000, 'for another'))),
  '/mcp/no-id': server((talk) => json(talk, result(undefined, 'for nobody'))),
  '/mcp/wrong-id-in-events': server(({ send, socket }, id) => {
    send(EVENTS, event(result(id + 1_000, 'for another')))
    socket.end()
  }),
  '/mcp/batch': server((talk, id) =>
    json(talk, [result(id + 1_000, 'for another'), result(id, 'well'), result(id, 'again')]),
  ),
  '/mcp/batch-of-others': server((talk, id) =>
    json(
      talk,
      Array.from({ length: 100 }, (_, i) => result(id + 1 + i, 'for another')),
    ),
  ),
  '/mcp/huge-result': server(({ send }, id) => {
    const [before = '', after = ''] = JSON.stringify(result(id, '|')).split('|')
    const length = before.length + HUGE.length + after.length
    send(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${before}`, HUGE, after)
  }),
  '/mcp/huge-event': server((talk, id) =>
    flooding(`data: {"jsonrpc":"2.0","id":${id},"result":{"content":"`, 'x'.repeat(65_536))(talk, id, null),
  ),
  '/mcp/huge-event-tiny-chunks': server(({ send, flood }) => {
    send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata: \r\n')
    flood('2\r\nxy\r\n'.repeat(10_000))
  }),
  '/mcp/endless-events': server(flooding('', ': nothing\n\n'.repeat(5_000))),
  '/mcp/gzip-bomb': server(({ send, bombs }) =>
    send(
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${bombs['gzip']!.length}\r\n\r\n`,
      bombs['gzip']!,
    ),
  ),
  '/mcp/gzip-bomb-in-events': server(({ send, bombs }) =>
    send(
      `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: ${bombs['gzip']!.length}\r\n\r\n`,
      bombs['gzip']!,
    ),
  ),
  '/mcp/deep-result': server(({ send }, id) => {
    const body = `{"jsonrpc":"2.0","id":${id},"result":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`
    send(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  }),
  '/mcp/html': server(({ send }) => send('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>')),
  '/mcp/resets': server(({ socket }) => void socket.resetAndDestroy()),
  '/mcp/resets-in-events': server(({ send, socket }) => {
    send(EVENTS, 'data: {"jsonrpc"')
    setTimeout(() => socket.resetAndDestroy(), DRIP_MS)
  }),
}
