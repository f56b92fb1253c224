import { http as register, type HttpFunction } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { flushCompileCache, setSourceMapsSupport } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { ERRORS } from '@vitrine/core/errors'
import { HOST } from './stack/ports.ts'
import { REGION } from './stack/services.ts'

/**
 * Serves every function of a bundle from one process, each behind the very functions-framework server that runs it in
 * production, at `/{project}/us-central1/{name}`. Scheduled functions are called the same way: nothing fires them here.
 * Prints one line `{"port": …, "functions": […]}` when it serves. SIGTERM lets requests in flight finish.
 */

const DRAIN_MS_MAX = 5_000
const KEEP_ALIVE_MS = 620_000

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      project: { type: 'string', default: process.env['GCLOUD_PROJECT'] ?? 'demo-vitrine' },
      entry: { type: 'string', default: join(import.meta.dirname, '../functions/lib/index.js') },
    },
  })
  // For traces that name our own sources. Node's option would read the maps of the thousand modules that they load, too.
  setSourceMapsSupport(true, { nodeModules: false, generatedCode: false })
  const functions = await loadFunctions(values.entry)
  const server = createServer(route(`/${values.project}/${REGION}/`, functions))
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.listen(Number(values.port), HOST, () => {
    const { port } = server.address() as AddressInfo
    console.log(JSON.stringify({ port, functions: [...functions.keys()] }))
    // Node does this when a process ends, unless it is killed, as most of these are.
    flushCompileCache()
  })
  server.once('error', (error) => {
    console.error(`error: ${error.message}`)
    process.exit(1)
  })
  process.once('SIGTERM', () => drain(server))
}

/** Every exported function by name: HTTP functions and scheduled ones, both `(req, res)` handlers. */
async function loadFunctions(entry: string): Promise<Map<string, Server>> {
  const exported = (await import(pathToFileURL(entry).href)) as Record<string, unknown>
  const handlers = Object.entries(exported).filter(
    (named): named is [string, HttpFunction] => typeof named[1] === 'function',
  )
  return new Map(
    handlers.map(([name, handler]) => {
      register(name, handler)
      return [name, getTestServer(name)]
    }),
  )
}

/** Hands each request to its function's server with the prefix stripped, as the front end does in production. */
function route(prefix: string, functions: ReadonlyMap<string, Server>): RequestListener {
  return (request, response) => {
    const url = request.url ?? '/'
    const name = /^[^/?]*/.exec(url.slice(prefix.length))?.[0] ?? ''
    const server = url.startsWith(prefix) ? functions.get(name) : undefined
    if (server === undefined) return notFound(request, response)
    const rest = url.slice(prefix.length + name.length)
    request.url = rest.startsWith('/') ? rest : `/${rest}`
    server.emit('request', request, response)
  }
}

function notFound(request: IncomingMessage, response: ServerResponse): void {
  const { http, callable, message, retryable } = ERRORS.unknown_operation
  request.resume()
  response.writeHead(http, { 'content-type': 'application/json' })
  response.end(
    JSON.stringify({ error: { status: callable, message, details: { code: 'unknown_operation', retryable } } }),
  )
}

/** Takes no new connections, closes the idle ones as they fall idle, and gives up on the rest after a while. */
function drain(server: Server): void {
  server.close(() => process.exit(0))
  setInterval(() => server.closeIdleConnections(), 20)
  setTimeout(() => server.closeAllConnections(), DRAIN_MS_MAX)
}

await main()
