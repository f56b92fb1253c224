import { decodeJwt } from 'jose'

/**
 * The user that an ID token names, unverified: good only for reading ahead what the call needs if the token is valid.
 * Undefined for anything but a token, and for ids that could span more than one segment of a document's path.
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
