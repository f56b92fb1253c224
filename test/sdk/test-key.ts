import { formatKey, type KeyKind } from '@vitrine/core/keys/key'

/** A well-formed key that opens nothing. */
export function testKey(kind: KeyKind = 'agent', id = 'a1'): string {
  return formatKey(kind, id, new Uint8Array(32).fill(7))
}
