import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** One request as a tool's server received it. */
export interface Hit {
  method: string
  /** Path and query. */
  url: string
  headers: IncomingHttpHeaders
  body: string
}

/** A tool's server on loopback that records every request in full. */
export interface Upstream {
  origin: string
  hits: Hit[]
  /** The hits on this path. */
  at(path: string): Hit[]
  close(): Promise<void>
}

type Behaviour = (hit: Hit, response: ServerResponse, request: IncomingMessage) => void | Promise<void>

/**
 * The server's behaviour by the first segment of a path; the rest of the path tells callers apart. `more` adds a test's
 * own behaviours.
 */
const BEHAVIOURS: Record<string, Behaviour> = {
  ok: (_hit, response) => json(response, 200, { found: 1 }),
  /** Repeats the request in the body and in headers. */
  echo: (hit, response) => json(response, 200, { ...hit }, { 'x-echo': hit.headers.authorization ?? '' }),
  fails: (hit, response) => json(response, 503, { problem: `I was sent ${hit.headers.authorization}` }),
  redirects: (hit, response) =>
    void response.writeHead(307, { location: `/echo?key=${hit.headers.authorization}` }).end(),
  loops: (hit, response) => void response.writeHead(307, { location: hit.url }).end(),
  text: (_hit, response) =>
    void response
      .writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' })
      .end(Buffer.from('caf\xe9', 'latin1')),
  bytes: (_hit, response) =>
    void response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from([0x89, 0x50, 0x00, 0xff])),
  empty: (_hit, response) => void response.writeHead(204).end(),
  big: (_hit, response) =>
    void response.writeHead(200, { 'content-type': 'text/plain' }).end('x'.repeat(11 * 1024 * 1024)),
  resets: (_hit, _response, request) => void request.socket.resetAndDestroy(),
  hangs: () => undefined,
  breaks: (_hit, response, request) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{"half":')
    setTimeout(() => request.socket.destroy(), 20)
  },
  garbles: (_hit, _response, request) => void request.socket.end('SSH-2.0-OpenSSH_9.9\r\n\r\n'),
}

export async function startUpstream(more: Record<string, Behaviour> = {}): Promise<Upstream> {
  const behaviours = { ...BEHAVIOURS, ...more }
  const hits: Hit[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const hit = { method: request.method!, url: request.url!, headers: request.headers, body }
      hits.push(hit)
      return behaviours[request.url!.split(/[/?]/)[1]!]!(hit, response, request)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hits,
    at: (path) => hits.filter(({ url }) => url.split('?')[0] === path),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A URL that nothing listens on. */
export async function deadUrl(): Promise<string> {
  const upstream = await startUpstream()
  await upstream.close()
  return `${upstream.origin}/gone`
}

function json(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
