import type { Dispatcher } from 'undici'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { EgressPolicy } from './policy.ts'
import { headerText } from './headers.ts'
import { checkPlace } from './registration.ts'

/** The target of a redirect (RFC 9110 section 15.4). Sends nothing. */
export interface Hop {
  url: URL
  /** As the server wrote it. */
  location: string
}

/**
 * The redirects, and the methods that a client may repeat at the other place. After 301 and 302 clients make a GET of a POST, and 303
 * asks for a GET: its answer would pass for the answer to another request, so these are not followed.
 */
const REPEATED: Record<number, (method: Dispatcher.HttpMethod) => boolean> = {
  301: (method) => method !== 'POST',
  302: (method) => method !== 'POST',
  303: (method) => method === 'GET' || method === 'HEAD',
  307: () => true,
  308: () => true,
}

/**
 * The next hop; null if the response is an answer, which 300, 304 and a redirect without a Location are. Errors: upstream_redirect for a
 * Location that is not a URL; blocked_url for a blocked place, with the place in `details.place` and the server's text in
 * `details.location`; upstream_redirect, with `details.location`, for one that asks for another method.
 */
export function nextHop(
  { statusCode, headers: { location } }: Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>,
  from: { url: URL; method: Dispatcher.HttpMethod },
  policy: EgressPolicy,
): Result<Hop | null> {
  const repeats = REPEATED[statusCode]
  if (!repeats || location === undefined || location === '') return ok(null)
  if (Array.isArray(location)) return fail('upstream_redirect')
  const text = headerText(location)
  const place = absolute(text.replaceAll(' ', '%20'), from.url)
  const checked = checkPlace(place, policy)
  if (!checked.ok)
    return checked.error.code === 'blocked_url'
      ? fail('blocked_url', undefined, { place, location: text })
      : fail('upstream_redirect')
  if (!repeats(from.method)) return fail('upstream_redirect', undefined, { location: text })
  return ok({ url: new URL(checked.value), location: text })
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
