import { createHash } from 'node:crypto'
import { canonicalPieces } from '@vitrine/core/json/jcs'
import type { JsonValue } from '@vitrine/core/json/value'

/** `sha256:` and the hash of a result's canonical text (canonicalText in core's jcs.ts); empty if the result has none. */
export function digestOf(result: JsonValue): string {
  const hash = createHash('sha256')
  try {
    canonicalPieces(result, (piece) => hash.update(piece))
    return `sha256:${hash.digest('hex')}`
  } catch {
    return ''
  }
}
