import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'

/**
 * functions-framework parses bodies by their type before any handler is called, and answers JSON that is none with a
 * page of HTML. Bytes it leaves alone, so each request is made to look like bytes before it comes to that: parsing, and
 * saying what is wrong, is up to the handler. What the client has sent is still in `rawHeaders`.
 */
subscribe('http.server.request.start', (message) => {
  const { request } = message as { request: IncomingMessage }
  request.headers['content-type'] = 'application/octet-stream'
})
