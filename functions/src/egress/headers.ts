import type { Dispatcher } from 'undici'

/** Reads the headers of a response. */

type Headers = Pick<Dispatcher.ResponseData, 'headers'>

/**
 * What the caller of a tool gets to see of the headers: where to go on, when to try again, what to quote. Everything else describes a
 * connection that the caller does not have.
 */
const PASSED_ON = new Set([
  'etag',
  'link',
  'location',
  'retry-after',
  'retry-after-ms',
  'x-request-id',
  'x-total-count',
])
/** `RateLimit`, `X-RateLimit-Remaining`, `x-rate-limit-reset`, `anthropic-ratelimit-…`: every API has names of its own. */
const RATE_LIMIT = /(?:^|-)rate-?limit(?:-|$)/

/** A header, empty if absent; repeated ones are joined (RFC 9110 section 5.2). */
export function header({ headers }: Headers, name: string): string {
  return [headers[name] ?? ''].flat().join(', ')
}

/** Bytes beyond ASCII are invalid in a header, but in practice they are UTF-8. */
export function headerText(value: string | string[]): string {
  return Buffer.from([value].flat().join(', '), 'latin1').toString()
}

/** The headers that the caller gets, by lower-case name; their size is bounded as that of all headers is. Undefined if there are none. */
export function headersPassedOn({ headers }: Headers): Record<string, string> | undefined {
  const names = Object.keys(headers).filter((name) => PASSED_ON.has(name) || RATE_LIMIT.test(name))
  return names.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, headerText(headers[name]!)]))
}
