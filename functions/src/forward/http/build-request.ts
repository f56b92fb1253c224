import type { JsonObject, JsonValue } from '@vitrine/core/json/value'
import { fail } from '@vitrine/core/result'
import type { AuthScheme, Endpoint, HttpMethod } from '@vitrine/core/tool'
import type { OutgoingRequest } from '../../egress/request.ts'
import { expanded, hasPlaceholder } from '../../egress/url-template.ts'

/** One request, apart from how it is sent. What is the registration's own and the credential are told from what any server may know. */
export type HttpRequest = Pick<OutgoingRequest, 'url' | 'headers' | 'ownHeaders' | 'queryCredential' | 'body'> & {
  method: HttpMethod
}

/** A registration's static headers replace the first two. */
const DEFAULT_HEADERS = {
  accept: 'application/json, text/*;q=0.9, */*;q=0.8',
  'user-agent': 'vitrine',
  'accept-encoding': 'gzip, br',
}

/**
 * The request that a call of an `http` tool makes. What the registration fixes, the arguments cannot change: not the host or path, nor
 * a query parameter that the registered URL holds or that carries the credential: `checkQueryArgs` has refused arguments of those names.
 */
export function buildRequest(endpoint: Endpoint, args: JsonObject, credential: string | null): HttpRequest {
  const { method, auth } = endpoint
  const url = new URL(placeOf(endpoint.url, credential))
  const argsInQuery = method === 'GET' || method === 'DELETE'
  const inQuery = auth.scheme === 'query' ? auth.name : null
  const fixed = url.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && (credential === null || inQuery === null || nameOf(pair) !== inQuery))
  const fromArgs = argsInQuery ? queryOf(args) : []
  url.search = [...fixed, ...fromArgs].join('&')
  // Vitrine alone says which encodings it can decode.
  const { 'accept-encoding': _, ...ownHeaders } = endpoint.headers
  return {
    url: url.href,
    method,
    headers: { ...DEFAULT_HEADERS, ...(!argsInQuery && { 'content-type': 'application/json' }) },
    ownHeaders: { ...ownHeaders, ...(credential !== null && authHeaders(auth, credential)) },
    queryCredential: credential !== null && inQuery !== null ? { name: inQuery, value: credential } : null,
    body: argsInQuery ? null : JSON.stringify(args),
  }
}

/** Throws for a credential that registration should have refused, or asked for. */
function placeOf(template: string, credential: string | null): string {
  const place =
    credential === null && hasPlaceholder(template) ? fail('no_credential') : expanded(template, credential ?? '')
  if (!place.ok) throw new Error(`The URL cannot be completed: ${place.error.code}.`)
  return place.value
}

function authHeaders(auth: AuthScheme, credential: string): Record<string, string> {
  switch (auth.scheme) {
    case 'bearer':
      return { authorization: `Bearer ${credential}` }
    case 'basic': {
      const pair = auth.username === undefined ? credential : `${auth.username}:${credential}`
      return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
    }
    case 'header':
      return { [auth.name.toLowerCase()]: credential }
    case 'query':
    case 'url':
      return {}
  }
}

/** Arguments as query pairs: scalars as text, arrays repeated, objects as JSON text; null is left out. */
function queryOf(args: JsonObject): string[] {
  return Object.entries(args).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).filter((item) => item !== null).map((item) => pairOf(name, textOf(item))),
  )
}

function nameOf(pair: string): string {
  return [...new URLSearchParams(pair).keys()][0] ?? ''
}

function pairOf(name: string, text: string): string {
  return `${encodeURIComponent(name)}=${encodeURIComponent(text)}`
}

function textOf(value: JsonValue): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
