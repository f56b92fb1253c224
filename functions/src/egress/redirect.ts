import type { Dispatcher } from 'undici'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { EgressPolicy } from './policy.ts'
import { checkPlace } from './registration.ts'

/** The target of a redirect and the method to use (RFC 9110 section 15.4, Fetch section 4.4). Sends nothing. */
export interface Hop {
  url: URL
  method: Dispatcher.HttpMethod
  /** As the server wrote it. */
  location: string
}

/** Statuses that send this very request to another place. */
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/**
 * The next hop; null if the response is an answer, which 300, 304 and a redirect without a Location are. Errors:
 * blocked_url for a blocked place, with the place in `details.place` and the server's text in `details.location`;
 * upstream_redirect for a Location that is not a URL.
 */
export function nextHop(
  { statusCode, headers: { location } }: Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>,
  from: { url: URL; method: Dispatcher.HttpMethod },
  policy: EgressPolicy,
): Result<Hop | null> {
  if (!REDIRECTS.has(statusCode) || location === undefined || location === '') return ok(null)
  if (Array.isArray(location)) return fail('upstream_redirect')
  // Bytes beyond ASCII are invalid in a header, but in practice they are UTF-8.
  const text = Buffer.from(location, 'latin1').toString()
  const place = absolute(text.replaceAll(' ', '%20'), from.url)
  const checked = checkPlace(place, policy)
  if (!checked.ok)
    return checked.error.code === 'blocked_url'
      ? fail('blocked_url', undefined, { place, location: text })
      : fail('upstream_redirect')
  return ok({ url: new URL(checked.value), method: methodAfter(statusCode, from.method), location: text })
}

/**
 * Keeps an absolute URL as the server wrote it, since a parsed URL no longer shows the oddities that checkPlace
 * refuses. Empty if it is not a URL.
 */
function absolute(text: string, base: URL): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return text
  if (text.startsWith('//')) return base.protocol + text
  return /[\x00-\x20\x7f\\]/.test(text) || !URL.canParse(text, base) ? '' : new URL(text, base).href
}

/** 303 turns the request into a GET; 301 and 302 do so for a POST, as in browsers. */
function methodAfter(statusCode: number, method: Dispatcher.HttpMethod): Dispatcher.HttpMethod {
  if (statusCode === 303) return method === 'HEAD' ? 'HEAD' : 'GET'
  return statusCode < 303 && method === 'POST' ? 'GET' : method
}
