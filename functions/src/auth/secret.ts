import { timingSafeEqual } from 'node:crypto'
import { hashSecret } from '@vitrine/core/keys/key'

/** Compares in constant time; an unknown key takes as long as a wrong one. */
export function matchesHash(secret: string, storedHash: string | undefined): boolean {
  const given = Buffer.from(hashSecret(secret), 'hex')
  const stored = Buffer.from(storedHash ?? '', 'hex')
  return stored.length === given.length ? timingSafeEqual(given, stored) : timingSafeEqual(given, given) && false
}
