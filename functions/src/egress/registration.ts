import { HEADERS_MAX, HEADER_VALUE_LENGTH_MAX, TOKEN_BYTES_MAX, URL_LENGTH_MAX } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { AuthScheme } from '@vitrine/core/tool'
import { utf8 } from '@vitrine/core/bytes'
import { credentialProblem } from './credential-problem.ts'
import { decidePlace } from './decide.ts'
import type { EgressPolicy } from './policy.ts'
import { parseable, stored } from './url-template.ts'

/**
 * Checks where and how a registration says a tool is called. Pure: names are looked up in reachable.ts and when the
 * tool is called.
 */

const NAME_LENGTH_MAX = 100
/** RFC 9110 section 5.6.2, after lower-casing. */
const TOKEN = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
/** RFC 9110 section 5.5: visible ASCII, space, tab and obs-text; no CR, LF or NUL. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * Headers that a registration may not set: those of the connection and the framing, those that carry credentials in
 * HTTP (a credential belongs in `authToken`, where it is encrypted), those that switch the client's behaviour, and
 * those that metadata servers require as proof that a request is meant for them.
 */
const FORBIDDEN_HEADERS = new Set([
  'connection',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'content-length',
  'content-encoding',
  'accept-encoding',
  'expect',
  'authorization',
  'metadata',
  'metadata-flavor',
])
const FORBIDDEN_HEADER_PREFIXES = ['proxy-', 'x-google-', 'x-aws-ec2-metadata-']

/**
 * A tool's URL in normal form: absolute, http or https, without credentials and fragment; its path and query may hold `{{credential}}`
 * (url-template.ts). Errors: invalid_url, with a hint in `details.hint` for other templates; blocked_url for a literal address, a name, a
 * port or a scheme that the policy blocks.
 */
export function checkUrl(text: string, policy: EgressPolicy): Result<string> {
  const tooLong = fail('invalid_url', `The URL is longer than ${URL_LENGTH_MAX} characters.`, { field: 'url' })
  if (text.length > URL_LENGTH_MAX) return tooLong
  const parsed = parseable(text)
  if (!parsed.ok) return parsed
  const checked = checkPlace(parsed.value, policy)
  if (!checked.ok) return checked
  return checked.value.length > URL_LENGTH_MAX ? tooLong : stored(checked.value, text)
}

/** The same for a URL of any length, such as a redirect target with arguments in its query. */
export function checkPlace(text: string, policy: EgressPolicy): Result<string> {
  // The WHATWG parser tolerates white space, backslashes and missing slashes, and then reads a different host than
  // other parsers.
  if (!/^https?:\/\/[^/?#]/i.test(text) || /[\x00-\x20\x7f\\]/.test(text) || !URL.canParse(text))
    return fail('invalid_url', undefined, { field: 'url' })
  if (/^[^/]*\/\/[^/?#]*@/.test(text))
    return fail('invalid_url', 'The URL must not hold credentials; put them into authToken.', { field: 'url' })
  const url = new URL(text)
  url.hash = ''
  const verdict = decidePlace(url, policy)
  return verdict.allowed ? ok(url.href) : fail('blocked_url', verdict.hint, { field: 'url' })
}

/** Static headers with lower-case names and trimmed values. Errors: invalid_argument. */
export function checkHeaders(headers: Readonly<Record<string, string>>): Result<Record<string, string>> {
  const entries = Object.entries(headers)
  if (entries.length > HEADERS_MAX) return invalid('headers', `At most ${HEADERS_MAX} headers.`)
  const checked = new Map<string, string>()
  for (const [given, value] of entries) {
    const name = given.toLowerCase()
    const problem =
      headerNameProblem(name) ??
      (isForbidden(name) ? 'is not one that a registration may set' : headerValueProblem(value))
    if (problem !== null) return invalid('headers', `The header ${shown(given)} ${problem}.`)
    if (checked.has(name)) return invalid('headers', `The header ${shown(given)} is given twice.`)
    checked.set(name, value.trim())
  }
  return ok(Object.fromEntries(checked))
}

/**
 * An auth scheme with its header's name in lower case. `Authorization` is allowed, for APIs that want the bare token in
 * it. Errors: invalid_argument.
 */
export function checkAuth(auth: AuthScheme): Result<AuthScheme> {
  switch (auth.scheme) {
    case 'bearer':
    case 'url':
      return ok(auth)
    case 'basic':
      // RFC 7617 section 2.
      return auth.username !== undefined &&
        (auth.username.includes(':') || hasControl(auth.username) || auth.username.length > 255)
        ? invalid('auth.username', 'A user name has at most 255 characters, no colon and no control characters.')
        : ok(auth)
    case 'header': {
      const name = auth.name.toLowerCase()
      const problem =
        headerNameProblem(name) ?? (name !== 'authorization' && isForbidden(name) ? 'cannot carry a credential' : null)
      return problem === null
        ? ok({ scheme: 'header', name })
        : invalid('auth.name', `The header ${shown(auth.name)} ${problem}.`)
    }
    case 'query':
      return auth.name === '' ||
        auth.name.length > NAME_LENGTH_MAX ||
        hasControl(auth.name) ||
        !auth.name.isWellFormed()
        ? invalid(
            'auth.name',
            `A query parameter has a name of 1 to ${NAME_LENGTH_MAX} characters, none of them control characters.`,
          )
        : ok(auth)
  }
}

/**
 * A credential that the scheme can send. Errors: token_too_large, invalid_argument. Nothing is trimmed: a credential is
 * stored as given, or refused.
 */
export function checkCredential(auth: AuthScheme, token: string): Result<string> {
  if (utf8(token).length > TOKEN_BYTES_MAX) return fail('token_too_large', undefined, { field: 'authToken' })
  if (token === '') return invalid('authToken', 'The credential is empty; null removes it.')
  const problem = credentialProblem(auth, token)
  return problem === null ? ok(token) : invalid('authToken', `The credential ${problem}.`)
}

function headerNameProblem(name: string): string | null {
  if (name.length > NAME_LENGTH_MAX) return `has a name of more than ${NAME_LENGTH_MAX} characters`
  // Firestore reserves field names that start with two underscores.
  return TOKEN.test(name) && !name.startsWith('__') ? null : 'has a name that is no HTTP field name'
}

function headerValueProblem(value: string): string | null {
  if (value.length > HEADER_VALUE_LENGTH_MAX) return `has more than ${HEADER_VALUE_LENGTH_MAX} characters`
  if (!FIELD_VALUE.test(value)) return 'holds a line break or other character that headers cannot'
  return value.includes('{{') ? `holds a template: say { scheme: 'header', name } in auth for the credential` : null
}

function isForbidden(name: string): boolean {
  return FORBIDDEN_HEADERS.has(name) || FORBIDDEN_HEADER_PREFIXES.some((prefix) => name.startsWith(prefix))
}

function hasControl(text: string): boolean {
  return /[\x00-\x1f\x7f]/.test(text)
}

/** A name made safe to show in a message. */
function shown(name: string): string {
  return JSON.stringify(name.slice(0, 40))
}

function invalid(field: string, message: string): ReturnType<typeof fail> {
  return fail('invalid_argument', message, { field })
}
