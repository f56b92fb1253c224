import { decodeJwt } from 'jose'

/**
 * The user that an ID token names, unverified: good for reading ahead what the call needs if the token holds, and for nothing else.
 * Undefined for what is no token, and for ids that could be more than one part of a document's path.
 */
export function claimedUid(token: string | undefined): string | undefined {
  if (token === undefined) return undefined
  try {
    const { sub } = decodeJwt(token)
    return typeof sub === 'string' && /^[A-Za-z0-9-]{1,128}$/.test(sub) ? sub : undefined
  } catch {
    return undefined
  }
}
