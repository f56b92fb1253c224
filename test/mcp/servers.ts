import { fork, spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { toNodeHandler, type NodeIncomingMessageLike } from '@modelcontextprotocol/node'
import { McpServer as LegacyServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import * as z from 'zod'

/** MCP servers to forward to. Each listens on loopback on its own port; `port` fixes it for a restart. */

export interface Seen {
  method: string
  url: string
  headers: IncomingMessage['headers']
  /** JSON-RPC method, if the request has one. */
  rpc: string | undefined
}

export interface TestServer {
  url: string
  port: number
  seen: Seen[]
  close(): Promise<void>
}

/** What the servers' tools recorded. */
export interface Felt {
  aborted: Promise<void>
  started: Promise<void>
}

/** An HTTP server with a test's listener, which is called after the body is read. */
export async function httpServer(
  listener: (request: IncomingMessage & { body: unknown }, response: ServerResponse) => void,
  port = 0,
): Promise<TestServer> {
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  const server = http.createServer(((request, response) => {
    void bodyOf(request).then((body) => {
      seen.push({
        method: request.method!,
        url: request.url!,
        headers: request.headers,
        rpc: (body as { method?: string } | undefined)?.method,
      })
      listener(Object.assign(request, { body }), response)
    })
  }) satisfies RequestListener)
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const bound = (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${bound}/mcp`,
    port: bound,
    seen,
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** A server with the tools whoami, add, fail and slow. */
export type ToolServer = TestServer & Felt

interface ModernOptions {
  responseMode?: 'auto' | 'sse'
  port?: number
  legacy?: 'stateless' | 'reject'
}

/** A server of revision 2026-07-28: stateless, answers in `responseMode`. */
export async function modernServer({
  responseMode = 'auto',
  port = 0,
  legacy = 'stateless',
}: ModernOptions = {}): Promise<ToolServer> {
  const { felt, start, abort } = feeling()
  const handler = createMcpHandler(
    ({ requestInfo }) => {
      const server = new McpServer({ name: 'modern', version: '1.2.3' })
      server.registerTool('whoami', { inputSchema: z.object({}) }, () =>
        text(requestInfo?.headers.get('authorization') ?? 'nobody'),
      )
      server.registerTool('add', { inputSchema: z.object({ a: z.number(), b: z.number() }) }, ({ a, b }) =>
        text(String(a + b)),
      )
      server.registerTool('fail', { inputSchema: z.object({}) }, () => ({ ...text('It went wrong.'), isError: true }))
      server.registerTool('slow', { inputSchema: z.object({}) }, async (_args, ctx) => {
        start()
        await once(ctx.mcpReq.signal, 'abort').then(abort)
        return text('late')
      })
      const region = { type: 'string' as const, 'x-mcp-header': 'Region' }
      server.registerTool('routed', { inputSchema: z.object({ region: z.string().meta(region) }) }, () =>
        text(requestInfo?.headers.get('mcp-param-region') ?? 'none'),
      )
      return server
    },
    { responseMode, legacy },
  )
  const node = toNodeHandler(handler)
  const server = await httpServer(
    (request, response) => void node(request as NodeIncomingMessageLike, response, request.body),
    port,
  )
  return { ...server, ...felt }
}

/** A server of the older revisions, with sessions, that answers with event streams or (`json`) with JSON. */
export async function legacyServer({ json = false, port = 0 } = {}): Promise<
  ToolServer & { sessions: Map<string, StreamableHTTPServerTransport> }
> {
  const { felt, start, abort } = feeling()
  const sessions = new Map<string, StreamableHTTPServerTransport>()
  const server = await httpServer((request, response) => {
    void (async () => {
      const id = request.headers['mcp-session-id']
      let transport = typeof id === 'string' ? sessions.get(id) : undefined
      if (id !== undefined && !transport) {
        response
          .writeHead(404, { 'content-type': 'application/json' })
          .end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}')
        return
      }
      if (!transport) {
        const made = new StreamableHTTPServerTransport({
          sessionIdGenerator: randomUUID,
          enableJsonResponse: json,
          onsessioninitialized: (session) => void sessions.set(session, made),
          onsessionclosed: (session) => void sessions.delete(session),
        })
        transport = made
        await legacyTools(start, abort).connect(made)
      }
      await transport.handleRequest(request, response, request.body)
    })()
  }, port)
  return { ...server, ...felt, sessions }
}

function legacyTools(start: () => void, abort: () => void): LegacyServer {
  const server = new LegacyServer({ name: 'legacy', version: '0.9' })
  server.registerTool('whoami', { inputSchema: {} }, (_args, { requestInfo }) =>
    text(String(requestInfo?.headers['authorization'] ?? 'nobody')),
  )
  server.registerTool('add', { inputSchema: { a: z.number(), b: z.number() } }, ({ a, b }) => text(String(a + b)))
  server.registerTool('fail', { inputSchema: {} }, () => ({ ...text('It went wrong.'), isError: true }))
  server.registerTool('slow', { inputSchema: {} }, async (_args, { signal }) => {
    start()
    await once(signal, 'abort').then(abort)
    return text('late')
  })
  return server
}

/** `@modelcontextprotocol/server-everything` in a separate process. */
export async function everythingServer(port: number): Promise<{ url: string; stop(): Promise<void> }> {
  const main = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'))
  const child = spawn(process.execPath, [main, 'streamableHttp'], {
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await listening(child)
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    stop: () => killed(child),
  }
}

/** One of the servers above in a separate process, so that this process does not hold what it was sent. */
export async function serverApart(kind: 'modern' | 'legacy'): Promise<{ url: string; close(): Promise<void> }> {
  const child = fork(fileURLToPath(new URL('server-process.ts', import.meta.url)), [kind], { execArgv: [] })
  const [url] = (await once(child, 'message')) as [string]
  return {
    url,
    close: () => killed(child),
  }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function listening(child: ChildProcess): Promise<void> {
  let said = ''
  for await (const chunk of child.stderr!) {
    said += String(chunk)
    if (said.includes('listening on port')) {
      child.stderr!.resume()
      return
    }
  }
  throw new Error(`The server did not start: ${said}`)
}

/** A port that nothing listens on at present. */
export async function freePort(): Promise<number> {
  const server = await httpServer(() => undefined)
  await server.close()
  return server.port
}

function text(said: string): { content: { type: 'text'; text: string }[] } {
  return { content: [{ type: 'text', text: said }] }
}

function feeling(): { felt: Felt; start: () => void; abort: () => void } {
  const started = Promise.withResolvers<void>()
  const aborted = Promise.withResolvers<void>()
  return {
    felt: { started: started.promise, aborted: aborted.promise },
    start: started.resolve,
    abort: aborted.resolve,
  }
}
