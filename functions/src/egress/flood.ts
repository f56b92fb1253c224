import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** Code of the error with which a flooded connection ends; the same as the ErrorCode it becomes. */
export const FLOODED = 'upstream_too_large'

/** The error that a response is ended with, before or within its body. */
export function flooded(message: string): Error {
  return Object.assign(new Error(message), { code: FLOODED, bodyCode: FLOODED })
}

/**
 * Bytes of one response on the wire beside its body's, which have a bound of their own: headers, interim responses (RFC 9110 section 15.2),
 * chunk sizes and extensions, trailers. A server could otherwise send those as fast as it can until the deadline, and take a processor
 * for itself. What was read and not yet parsed counts too.
 */
const OVERHEAD_BYTES_MAX = 2 * 1024 * 1024
const LOOK_MS = 20

interface Watched {
  /** What the connection had read when the request began. */
  before: number
  /** Bytes of the response's body so far. */
  body: number
}

/**
 * Ends connections on which a response grows without end. undici tells on diagnostics channels which connection a request goes out on,
 * and what comes of its body; with one request at a time on a connection, what that reads from then on belongs to the request.
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
