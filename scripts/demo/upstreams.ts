/** Starts the tools that the demo's agent calls, as servers on this machine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request as forward, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { freePorts, HOST } from '../stack/ports.ts'

/** A tool of the demo: a JSON API or an MCP server. Each requires its own credential. */
export interface Upstream {
  url: string
  /** The credential of each request, unchanged, in order of arrival. */
  credentials: (string | undefined)[]
  stop(): Promise<void>
}

/** Starts a JSON API that requires a bearer token and leaks it: each answer repeats the request's authorization. */
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

/** Starts `@modelcontextprotocol/server-everything` as a process, and a proxy that requires an API key in `X-Api-Key`. */
export async function startMcpServer(apiKey: string): Promise<Upstream> {
  const credentials: Upstream['credentials'] = []
  const [port] = (await freePorts(1)) as [number]
  const main = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'))
  const child = spawn(process.execPath, [main, 'streamableHttp'], {
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // The server must not outlive the demo.
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  await listening(child.stderr)
  const proxy = await listen((request, response) => {
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
    url: `${origin(proxy)}/mcp`,
    credentials,
    async stop() {
      process.off('exit', kill)
      const exited = once(child, 'exit')
      kill()
      await Promise.all([exited, close(proxy)])
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
