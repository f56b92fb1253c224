import { parseKey } from '@vitrine/core/keys/key'
import { KEEPS_LITERALS } from '@vitrine/core/json/number-literal'
import { VitrineError } from './error.ts'
import { PARSERS, type Numbers, type ParseJson } from './numbers.ts'

interface CommonOptions {
  /** Where the functions are, without a function's name. https, or http on loopback. */
  baseUrl: string
  /** Stands in for the global fetch. Must honour `redirect: 'error'`, or a redirect may carry the key to another host. */
  fetch?: typeof globalThis.fetch
  /**
   * How long to wait for an answer, in milliseconds; for an invocation this includes the tool's time.
   * Default 90,000: more than the longest invocation takes.
   */
  timeoutMs?: number
  /**
   * How numbers of answers are read; `double` unless said otherwise. `exact` and `literal` need `JSON.rawJSON`: Node 22,
   * Chrome 114, Firefox 135, Safari 18.4. In arguments a bigint is sent with all its digits everywhere.
   */
  numbers?: Numbers
}

/** Signed in with a key, or with whatever ID token `getToken` gives at each request. */
export type VitrineOptions = CommonOptions &
  ({ key: string; getToken?: never } | { getToken: () => string | Promise<string>; key?: never })

export interface CallOptions {
  /** Ends the request; the promise rejects with code `aborted`. A tool that was already called is not undone by this. */
  signal?: AbortSignal
}

/** Options as checked. `token` gives what follows "Bearer". */
export interface Settings {
  baseUrl: string
  fetch: typeof globalThis.fetch
  timeoutMs: number
  parseJson: ParseJson
  token: () => string | Promise<string>
}

const TIMEOUT_MS_DEFAULT = 90_000
/** Longer timers fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** Errors: invalid_argument, invalid_url, malformed_key, unsupported. */
export function readOptions(options: VitrineOptions): Settings {
  if (typeof options !== 'object' || options === null)
    throw new VitrineError('invalid_argument', { message: 'Pass baseUrl and a key.' })
  const { fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS_DEFAULT, numbers = 'double' } = options
  if (typeof fetch !== 'function')
    throw new VitrineError('invalid_argument', { message: 'There is no fetch here; give one.' })
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > TIMER_MS_MAX) {
    throw new VitrineError('invalid_argument', {
      message: 'timeoutMs must be a positive whole number of milliseconds.',
    })
  }
  return {
    baseUrl: readBaseUrl(options.baseUrl),
    fetch,
    timeoutMs,
    parseJson: readNumbers(numbers),
    token: readIdentity(options),
  }
}

function readNumbers(numbers: Numbers): ParseJson {
  if (!Object.hasOwn(PARSERS, numbers))
    throw new VitrineError('invalid_argument', { message: `numbers must be ${Object.keys(PARSERS).join(' or ')}.` })
  if (numbers !== 'double' && !KEEPS_LITERALS)
    throw new VitrineError('unsupported', { message: 'There is no JSON.rawJSON here, which exact numbers need.' })
  return PARSERS[numbers]
}

function readIdentity({ key, getToken }: VitrineOptions): () => string | Promise<string> {
  if ((key === undefined) === (getToken === undefined)) {
    throw new VitrineError('invalid_argument', { message: 'Give either key or getToken.' })
  }
  if (getToken !== undefined) {
    if (typeof getToken !== 'function')
      throw new VitrineError('invalid_argument', { message: 'getToken must be a function.' })
    return getToken
  }
  if (typeof key !== 'string' || !parseKey(key).ok) throw new VitrineError('malformed_key')
  return () => key
}

function readBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  // The text itself stays out of the message: it may hold credentials.
  if (url === null) throw invalidUrl('baseUrl must be an absolute URL.')
  if (url.username !== '' || url.password !== '') throw invalidUrl('baseUrl must not hold credentials.')
  if (url.search !== '' || url.hash !== '') throw invalidUrl('baseUrl must have no query and no fragment.')
  const isSafe = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))
  if (!isSafe)
    throw invalidUrl('baseUrl must be https; http is for loopback only, since the key travels with each request.')
  return url.href.replace(/\/+$/, '')
}

function invalidUrl(message: string): VitrineError {
  return new VitrineError('invalid_url', { message })
}
