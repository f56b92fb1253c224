import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request as forward, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { freePorts, HOST } from '../stack/ports.ts'

/** What the demo's agent calls: a JSON API and an MCP server, each of which wants a credential of its own. */
export interface Upstream {
  url: string
  /** The credential of every request that came, as it came. */
  credentials: (string | undefined)[]
  stop(): Promise<void>
}

/** A JSON API behind a bearer token. Carelessly it repeats in its answer what it was sent. */
export async function startApi(token: string): Promise<Upstream> {
  const credentials: Upstream['credentials'] = []
  const server = await listen((request, response) => {
    const { authorization } = request.headers
    credentials.push(authorization)
    void json(request).then((args) => {
      const allowed = authorization === `Bearer ${token}`
      const { city } = args as { city: string }
      response.writeHead(allowed ? 200 : 401, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify(
          allowed ? { city, forecast: 'sunny', celsius: 21, debug: { authorization } } : { error: 'Wrong token.' },
        ),
      )
    })
  })
  return { url: `${origin(server)}/forecast`, credentials, stop: () => close(server) }
}

/** `@modelcontextprotocol/server-everything` as its own process, behind a gate that wants an API key in `X-Api-Key`. */
export async function startMcpServer(apiKey: string): Promise<Upstream> {
  const credentials: Upstream['credentials'] = []
  const [port] = (await freePorts(1)) as [number]
  const main = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'))
  const child = spawn(process.execPath, [main, 'streamableHttp'], {
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // Whatever ends the demo ends its server.
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  await listening(child.stderr)
  const gate = await listen((request, response) => {
    const key = request.headers['x-api-key']
    credentials.push(typeof key === 'string' ? key : undefined)
    if (key !== apiKey) return void response.writeHead(401).end()
    const { method, url, headers } = request
    const onward = forward(
      { host: HOST, port, method, path: url, headers: { ...headers, host: `${HOST}:${port}` } },
      (answer) => {
        response.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(response)
      },
    )
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  })
  return {
    url: `${origin(gate)}/mcp`,
    credentials,
    async stop() {
      process.off('exit', kill)
      const exited = once(child, 'exit')
      kill()
      await Promise.all([exited, close(gate)])
    },
  }
}

async function listening(stderr: AsyncIterable<unknown> & { resume(): unknown }): Promise<void> {
  let said = ''
  for await (const chunk of stderr) {
    said += String(chunk)
    if (!said.includes('listening on port')) continue
    return
  }
  throw new Error(`the MCP server did not start: ${said.trim()}`)
}

async function listen(listener: RequestListener): Promise<Server> {
  const server = createServer((request: IncomingMessage, response) => listener(request, response))
  server.listen(0, HOST)
  await once(server, 'listening')
  return server
}

function origin(server: Server): string {
  return `http://${HOST}:${(server.address() as AddressInfo).port}`
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}
