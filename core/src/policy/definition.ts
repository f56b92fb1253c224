import { utf8 } from '../bytes.ts'
import { comparableText } from '../json/decimal.ts'
import type { JsonObject } from '../json/value.ts'
import { sha256Hex } from '../keys/sha256-node.ts'
import { MANIFEST_BYTES_MAX } from '../limits.ts'

/** What control plane and worker say alike of what an MCP server lists. */

/** Why a list cannot be taken, for its owner. */
export const LIST_TOO_LARGE = `The list of tools is larger than ${MANIFEST_BYTES_MAX / 1024 ** 2} MiB.`

/**
 * SHA-256, hex, of what an MCP server's list says of one command: each whole tool object of that name as the server sent
 * it, in canonical form, so that a change of any field or digit shows; `1.0` is `1`. Throws TypeError for values that have
 * no canonical text.
 */
export function definitionHash(definitions: JsonObject[]): string {
  return sha256Hex(utf8(comparableText(definitions)))
}
