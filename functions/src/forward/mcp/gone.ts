import type { JsonObject } from '@vitrine/core/json/value'
import type { Connection } from './connect.ts'
import type { Exchange } from './exchange.ts'
import { rpcErrorOf } from './outcome.ts'

/** JSON-RPC: what was sent is no request; MCP 2026-07-28: not in this revision. */
const INVALID_REQUEST = -32600
const UNSUPPORTED_VERSION = -32022
/** The method is there, and its arguments are wrong: the server has looked at the call. A tool may well speak of sessions of its own. */
const INVALID_PARAMS = -32602
/** JSON-RPC leaves these to servers. What a tool throws is mostly -32603. */
const isOfServer = (code: number | null) => code !== null && code >= -32099 && code <= -32000

/** `Bad Request: Server not initialized`, `expect initialize request`, `Request before initialization was complete`. */
const NOT_INITIALIZED =
  /\b(?:not|n't|never)( \w+)? initiali[sz]ed|uninitiali[sz]ed|\bmust (?:be|first) initiali[sz]|\b(?:expect\w*|before|without)\b.{0,24}\binitiali[sz]|initiali[sz]e first/i
/** `Session not found`, `No valid session ID provided`, `SESSION_EXPIRED`, `Mcp-Session-Id header is required`. */
const SESSION_GONE =
  /\b(?:no|not|un\w+|invalid|bad|missing|expired|stale|lost|closed|terminated)\b.{0,32}\bsession|\bsession\b.{0,48}\b(?:not|n't|un\w+|invalid|expired|missing|required|stale|lost|gone|closed|ended|terminated|timed out)\b/i

interface Said {
  status: number
  /** The server's JSON-RPC error, if it gave one. */
  error: JsonObject | null
  /** Said by what takes requests in, not by what carries them out: with a status that refuses, or a code for that. */
  isOfProtocol: boolean
  /** What it says, `_` and `-` as spaces. */
  words: string
  era: Connection['era']
  hasSession: boolean
}

/** What a server says when it does not know a connection any more. Each is said before the call is begun, so repeating it is safe. */
const GONE: ((said: Said) => boolean)[] = [
  // It speaks another revision by now.
  ({ error }) => error?.['code'] === UNSUPPORTED_VERSION,
  // A server of the older revisions refuses like this what does not begin with `initialize`.
  ({ era, status, error }) =>
    era === 'modern' && error === null && [400, 401, 404, 405, 406, 409, 410, 422].includes(status),
  // The protocol says 404 (2025-11-25, basic/transports, "Session Management"). Whatever comes with it.
  ({ hasSession, status }) => hasSession && (status === 404 || status === 410),
  // Others say that the request, the credential or the state is wrong, without a word about the call.
  ({ hasSession, status, error }) =>
    hasSession && [400, 401, 409, 422].includes(status) && (error === null || error['code'] === INVALID_REQUEST),
  // In words, with any status. Servers may forget that they were initialized without there being a session.
  ({ isOfProtocol, words }) => isOfProtocol && NOT_INITIALIZED.test(words),
  ({ hasSession, isOfProtocol, words }) => hasSession && isOfProtocol && SESSION_GONE.test(words),
]

/**
 * Whether the server refused to look at a request since it does not know the session or the revision. A refusal that may be about the
 * call itself, such as a JSON-RPC error that speaks of arguments, is none.
 */
export function isGone(exchange: Exchange, { era, hasSession }: Connection): boolean {
  const { status, answer, failure, errorText } = exchange
  if (failure !== null || (answer !== null && 'result' in answer)) return false
  const error = rpcErrorOf(exchange)
  const text = error === null ? (errorText ?? '') : String(error['message'])
  const code = error === null ? null : Number(error['code'])
  const isOfProtocol = status >= 300 ? code !== INVALID_PARAMS : code === INVALID_REQUEST || isOfServer(code)
  const words = text.replaceAll(/[_-]/g, ' ')
  return GONE.some((says) => says({ status, error, isOfProtocol, words, era, hasSession }))
}
