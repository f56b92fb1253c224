import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ERRORS, type ErrorCode } from '@vitrine/core/errors'

/** A request as it arrived. */
export interface WireRequest {
  method: string
  path: string
  headers: IncomingHttpHeaders
  /** The parsed body, or its text if it is not JSON. */
  body: unknown
}

export type Respond = (response: ServerResponse, request: WireRequest) => void

/**
 * A server for tests of the wire protocol: it records requests and answers as the test says. Listens on a free loopback
 * port.
 */
export interface WireServer {
  url: string
  requests: WireRequest[]
  /** The answer from now on. */
  respond: Respond
  close(): Promise<void>
}

export async function startWireServer(): Promise<WireServer> {
  const server = createServer((request, response) => {
    // Any page may call, as in a deployment that serves browsers.
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-headers', 'authorization, content-type')
    if (request.method === 'OPTIONS') return response.writeHead(204).end()
    const chunks: Uint8Array[] = []
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const arrived = { method, path: url, headers, body: parse(Buffer.concat(chunks).toString()) }
      wire.requests.push(arrived)
      wire.respond(response, arrived)
    })
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const wire: WireServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    respond: result({}),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return wire
}

export function result(value: unknown): Respond {
  return json(200, { result: value })
}

/** The functions' answer for an error code. */
export function failure(
  code: ErrorCode,
  details: Record<string, unknown> = {},
  message: string = ERRORS[code].message,
): Respond {
  const { http, callable, retryable } = ERRORS[code]
  return json(http, { error: { status: callable, message, details: { code, retryable, ...details } } })
}

export function json(status: number, body: unknown): Respond {
  return raw(status, JSON.stringify(body), { 'content-type': 'application/json' })
}

export function raw(status: number, body: string, headers: Record<string, string> = {}): Respond {
  return (response) => response.writeHead(status, headers).end(body)
}

/** Never answers. */
export const silence: Respond = () => {}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
