import type { JsonValue } from './json/value.ts'

/** A registered tool as the dispatch path sees it. */

export const TOOL_KINDS = ['http', 'mcp'] as const
export type ToolKind = (typeof TOOL_KINDS)[number]

/**
 * What happens to commands that an MCP server changed after they were pinned: they are refused, or the change is only
 * recorded. A server that never gave a list is called all the same, unless the policy is `require`, which otherwise is
 * `block`.
 */
export const MANIFEST_POLICIES = ['block', 'warn', 'require'] as const
export type ManifestPolicy = (typeof MANIFEST_POLICIES)[number]

/** What becomes of a call whose input schema is not understood in all its parts: these are not checked, or it is refused. */
export const ARGS_POLICIES = ['lenient', 'strict'] as const
export type ArgsPolicy = (typeof ARGS_POLICIES)[number]

export const HTTP_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
export type HttpMethod = (typeof HTTP_METHODS)[number]

/**
 * How the credential is injected.
 * - bearer: `Authorization: Bearer {token}`
 * - basic: `Authorization: Basic base64({username}:{token})`; without `username` the token itself is `user:password`
 * - header: `{name}: {token}`
 * - query: `?{name}={token}`
 * - url: where the URL has `{{credential}}`, percent-encoded, and nowhere else. Such a place is filled in for every scheme.
 */
export type AuthScheme =
  | { scheme: 'bearer' }
  | { scheme: 'basic'; username?: string }
  | { scheme: 'header'; name: string }
  | { scheme: 'query'; name: string }
  | { scheme: 'url' }

/** Where a call goes and how; never holds the credential itself. */
export interface Endpoint {
  /** Its path and query may hold `{{credential}}`. */
  url: string
  /** Only for `http`. GET and DELETE send the arguments in the query. */
  method: HttpMethod
  auth: AuthScheme
  /** Static headers, lower-case names. */
  headers: Record<string, string>
  /** Most bytes of an answer after decoding. */
  responseBytesMax: number
}

/** What an upstream answered, decoded and not yet scrubbed. */
export type Answer =
  | { type: 'json'; value: JsonValue }
  | { type: 'text'; text: string }
  | { type: 'binary'; bytes: Uint8Array; contentType: string }

/** A piece of an answer that is still arriving. */
export type Piece =
  | { type: 'text'; text: string }
  | { type: 'binary'; base64: string }
  /** A server-sent event (HTML Living Standard, section 9.2). */
  | { type: 'event'; event?: string; id?: string; data: string }
  /** MCP `notifications/progress`. */
  | { type: 'progress'; progress: number; total?: number; message?: string }
