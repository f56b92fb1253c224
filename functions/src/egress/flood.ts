import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** Code of the error that ends a flooded connection; equals the ErrorCode it becomes. */
export const FLOODED = 'upstream_too_large'

/** The error that ends a response, before or within its body. */
export function flooded(message: string): Error {
  return Object.assign(new Error(message), { code: FLOODED, bodyCode: FLOODED })
}

/**
 * Bytes on the wire that one response may have besides its body, which has its own limit: headers, interim responses
 * (RFC 9110 section 15.2), chunk sizes and extensions, trailers. Without it a server could send these at full speed
 * until the deadline and occupy a processor. Includes bytes that are read and not yet parsed.
 */
const OVERHEAD_BYTES_MAX = 2 * 1024 * 1024
const LOOK_MS = 20

interface Watched {
  /** Bytes that the connection had read when the request began. */
  before: number
  /** Bytes of the response's body so far. */
  body: number
}

/**
 * Ends connections on which a response grows without end. undici's diagnostics channels tell which connection a request
 * uses and which bytes are its body. A connection carries one request at a time, so what it reads from then on belongs
 * to that request.
 *
 * Call it once, before the first request.
 */
export function endFloods(): void {
  /** Connections with a request under way. */
  const watched = new Map<Socket, Watched>()
  const byRequest = new WeakMap<object, Watched>()
  let looking: NodeJS.Timeout | undefined

  subscribe('undici:client:sendHeaders', (message) => {
    const { request, socket } = message as { request: object; socket: Socket }
    if (!watched.has(socket)) socket.once('close', () => watched.delete(socket))
    const entry = { before: socket.bytesRead, body: 0 }
    watched.set(socket, entry)
    byRequest.set(request, entry)
    looking ??= setInterval(look, LOOK_MS).unref()
  })
  subscribe('undici:request:bodyChunkReceived', (message) => {
    const { request, chunk } = message as { request: object; chunk: Uint8Array }
    const entry = byRequest.get(request)
    if (entry) entry.body += chunk.length
  })

  function look(): void {
    for (const [socket, { before, body }] of watched) {
      if (socket.bytesRead - before - body > OVERHEAD_BYTES_MAX) socket.destroy(flooded('The answer is a flood.'))
    }
    if (watched.size > 0) return
    clearInterval(looking)
    looking = undefined
  }
}
