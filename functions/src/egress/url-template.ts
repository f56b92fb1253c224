import { fail, ok, type Result } from '@vitrine/core/result'

/** A registration's URL may hold `{{credential}}` in its path and query: the token goes there, percent-encoded, when the tool is called. */

export const PLACEHOLDER = '{{credential}}'
/** How the URL parser leaves it in a path, and does not touch it in a query. */
const ENCODED = '%7B%7Bcredential%7D%7D'
/** Each brace as it is or percent-encoded. */
const ANY_SPELLING = /(?:\{|%7[bB]){2}credential(?:\}|%7[dD]){2}/g
const BRACE = /[{}]|%7[bBdD]/
/** What a client percent-encodes in a path segment without need (RFC 3986 section 3.3). */
const PLAIN_IN_PATH = /%(?:3A|40|24|26|2B|2C|3D)/g
/** An expression of a URI template (RFC 6570) or of a router: `{owner}`, `{?page,size}`, `{id:int}`, `{{owner}}`. */
const EXPRESSION = /^\{*[+#./;?&]?[\w.-]+(?::[\w.-]+|\*)?(?:,[\w.-]+(?::[\w.-]+|\*)?)*\}*$/

export function hasPlaceholder(url: string): boolean {
  return url.includes(PLACEHOLDER)
}

/**
 * A URL that any URL parser can read: placeholders percent-encoded, and no other template in it. `stored` writes them back. Errors:
 * invalid_url for templates that calls would send as they are.
 */
export function parseable(text: string): Result<string> {
  const [, origin = '', path = '', query = '', fragment = ''] =
    /^([^/?#]*\/\/[^/?#]*)([^?#]*)([^#]*)(.*)$/s.exec(text) ?? []
  if (BRACE.test(origin) || ANY_SPELLING.test(fragment))
    return refused(`${PLACEHOLDER} may stand in the path and the query alone.`)
  const without = (part: string): string => part.replace(ANY_SPELLING, '')
  if (BRACE.test(without(path)) || query.split(/[?&=]/).some((part) => hasExpression(without(part))))
    return refused(
      `A URL may hold ${PLACEHOLDER} and no other template: what is in braces would be sent as it is. Register one tool for each path.`,
    )
  return ok(text.replace(ANY_SPELLING, ENCODED))
}

/** The normal form, from what the parser made of `parseable`'s. Errors: invalid_url if `..` in the path has swallowed a placeholder. */
export function stored(href: string, given: string): Result<string> {
  const count = (text: string): number => text.match(ANY_SPELLING)?.length ?? 0
  return count(href) === count(given)
    ? ok(href.replaceAll(ENCODED, PLACEHOLDER))
    : refused(`${PLACEHOLDER} must stand where the path still has it, not before "..".`)
}

/** A pair's name or value with an expression in it. What is nested, such as JSON and GraphQL, is somebody's text. */
function hasExpression(part: string): boolean {
  const text = part.replaceAll(/%7b/gi, '{').replaceAll(/%7d/gi, '}')
  let depth = 0
  let from = 0
  for (const [i, character] of [...text].entries()) {
    if (character === '{' && depth++ === 0) from = i
    if (character === '}' && depth > 0 && --depth === 0 && EXPRESSION.test([...text].slice(from, i + 1).join('')))
      return true
  }
  return false
}

/**
 * The URL of a call. In the path the token is one segment or a part of it; in the query it is part of one name or value. Errors:
 * invalid_argument for a token that cannot be there: it would be read as `.` or `..`.
 */
export function expanded(template: string, token: string): Result<string> {
  if (!hasPlaceholder(template)) return ok(template)
  const at = template.indexOf('?')
  const [path, query] = at < 0 ? [template, ''] : [template.slice(0, at), template.slice(at)]
  const encoded = encodeURIComponent(token)
  const place = path.replaceAll(PLACEHOLDER, () => encoded.replaceAll(PLAIN_IN_PATH, decodeURIComponent))
  const url = place + query.replaceAll(PLACEHOLDER, () => encoded)
  return new URL(place).href === place
    ? ok(url)
    : fail('invalid_argument', 'The credential cannot be in the path of a URL: servers read it as "." or "..".', {
        field: 'authToken',
      })
}

function refused(hint: string): Result<never> {
  return fail('invalid_url', hint, { field: 'url', hint })
}
