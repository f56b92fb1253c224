import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'

/**
 * Keeps functions-framework's hands off the request. It parses bodies by their type before any handler is called, inflates
 * them up to 1 GiB, answers what it cannot parse with a page of HTML, and prints it to the log, a credential in it
 * included. A body without a type it leaves in the stream, where `readJson` of core reads it under our own bound. What the client
 * has sent is still in `rawHeaders`.
 *
 * Call it once, before the first request.
 */
export function keepBodiesUnread(): void {
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { request: IncomingMessage }
    delete request.headers['content-type']
    delete request.headers['content-encoding']
    // The router answers a path that does not decode by itself too; like this, it names no operation.
    if (request.url?.includes('%') && !decodes(request.url)) request.url = request.url.replaceAll('%', '%25')
  })
}

function decodes(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}
