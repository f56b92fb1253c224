import { utf8 } from '../bytes.ts'
import { comparableText } from '../json/decimal.ts'
import type { JsonObject } from '../json/value.ts'
import { sha256Hex } from '../keys/sha256-node.ts'

/**
 * SHA-256, hex, of what an MCP server's list says of one command: each whole tool object of that name as the server sent
 * it, in canonical form, so that a change of any field or digit shows; `1.0` is `1`. Throws TypeError for values that have
 * no canonical text.
 */
export function definitionHash(definitions: JsonObject[]): string {
  return sha256Hex(utf8(comparableText(definitions)))
}
