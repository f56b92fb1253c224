import { createHash } from 'node:crypto'
import { canonicalize } from '@vitrine/core/jcs'
import type { JsonValue } from '@vitrine/core/json-value'

/** `sha256:` and the hash of a result in canonical form (RFC 8785); empty for one that has none. */
export function digestOf(result: JsonValue): string {
  try {
    return `sha256:${createHash('sha256').update(canonicalize(result)).digest('hex')}`
  } catch {
    return ''
  }
}
