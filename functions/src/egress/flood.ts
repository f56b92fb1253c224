import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { RESPONSE_BYTES_MAX } from '@vitrine/core/limits'

/** Code of the error with which a flooded connection ends; the same as the ErrorCode it becomes. */
export const FLOODED = 'upstream_too_large'

/**
 * Bytes of one response on the wire, with all that its body's bound does not see: interim responses (RFC 9110 section 15.2), chunk extensions
 * and trailers. A server could otherwise send those as fast as it can until the deadline, and take a processor for itself.
 */
const WIRE_BYTES_MAX = 2 * RESPONSE_BYTES_MAX + 1024 * 1024
const LOOK_MS = 100

/** Connections with a request under way, and what they had read when it began. */
const watched = new Map<Socket, number>()
let looking: NodeJS.Timeout | undefined

/**
 * Connections on which a response grows without end are ended. undici tells on a diagnostics channel which connection a request goes out on;
 * with one request at a time on it, what it reads from then on belongs to that request.
 */
subscribe('undici:client:sendHeaders', onRequest)

function onRequest(message: unknown): void {
  const { socket } = message as { socket: Socket }
  if (!watched.has(socket)) socket.once('close', () => watched.delete(socket))
  watched.set(socket, socket.bytesRead)
  looking ??= setInterval(look, LOOK_MS).unref()
}

function look(): void {
  for (const [socket, before] of watched) {
    if (socket.bytesRead - before > WIRE_BYTES_MAX) socket.destroy(Object.assign(new Error('The answer is a flood.'), { code: FLOODED, bodyCode: FLOODED }))
  }
  if (watched.size > 0) return
  clearInterval(looking)
  looking = undefined
}
