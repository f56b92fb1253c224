import { KEY_KINDS, parseKey, type ParsedKey } from '@vitrine/core/keys/key'
import { fail, ok, type Result } from '@vitrine/core/result'

export type Bearer = { type: 'key'; key: ParsedKey } | { type: 'idToken'; token: string }

/** RFC 6750 section 2.1. Errors: unauthenticated, malformed_key. */
export function readBearer(authorization: string | undefined): Result<Bearer> {
  const match = /^Bearer +(\S+)$/i.exec(authorization ?? '')
  if (!match?.[1]) return fail('unauthenticated')
  const token = match[1]
  // An ID token has three parts too, so only a token with the prefix of a key is read as one.
  if (!KEY_KINDS.some((kind) => token.startsWith(`${kind}.`))) {
    return token.split('.').length === 3 && token.length > 100 ? ok({ type: 'idToken', token }) : fail('malformed_key')
  }
  const key = parseKey(token)
  return key.ok ? ok({ type: 'key', key: key.value }) : key
}

/** The key of a call that only agents may make. Errors: unauthenticated, malformed_key, permission_denied. */
export function readAgentKey(authorization: string | undefined): Result<ParsedKey> {
  const bearer = readBearer(authorization)
  if (!bearer.ok) return bearer
  if (bearer.value.type !== 'key' || bearer.value.key.kind !== 'agent')
    return fail('permission_denied', 'This call takes an agent key.')
  return ok(bearer.value.key)
}
