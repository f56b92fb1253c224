import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'

/**
 * Keeps functions-framework from reading request bodies. Before any handler runs, it would parse them by type, inflate
 * them up to 1 GiB, answer what it cannot parse with a page of HTML, and log it, credentials included. It leaves a body
 * without a type in the stream, where core's `readJson` reads it within Vitrine's own limit. `rawHeaders` still holds
 * what the client sent.
 *
 * Call it once, before the first request.
 */
export function keepBodiesUnread(): void {
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { request: IncomingMessage }
    delete request.headers['content-type']
    delete request.headers['content-encoding']
    // The router would also answer a path that does not decode; escaped, the path just names no operation.
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
