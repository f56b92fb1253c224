import { createHash } from 'node:crypto'
import { canonicalPieces } from '@vitrine/core/json/jcs'
import type { JsonValue } from '@vitrine/core/json/value'

/** `sha256:` and the hash of a result in canonical form (RFC 8785); empty if the result has no canonical form. */
export function digestOf(result: JsonValue): string {
  const hash = createHash('sha256')
  try {
    canonicalPieces(result, (piece) => hash.update(piece))
    return `sha256:${hash.digest('hex')}`
  } catch {
    return ''
  }
}
