import { concatBytes, hexToBytes, utf8 } from '../bytes.ts'
import { canonicalize, canonicalText } from '../json/jcs.ts'
import { sha256Hex } from '#sha256'
import type { JsonValue } from '../json/value.ts'

/** The commitment to an invocation's arguments: the chain holds only this hash, so the arguments can be erased. */

/**
 * What proves that a commitment is to these arguments. It is stored apart from the chain: after its erasure the chain
 * still verifies.
 */
export interface Opening {
  /** 32 random bytes, hex. Without a salt, short arguments could be guessed from the commitment. */
  salt: string
  /** The arguments with sensitive values redacted, as canonical text: JCS, but number literals as they came. */
  args: string
}

/** A stored opening: the canonical JSON of its call, salt and arguments. */
export function openingLine(call: string, { salt, args }: Opening): string {
  return canonicalize({ args, call, salt })
}

/** The call and the opening of a stored line. */
export function readOpening(line: string): { call: string; opening: Opening } {
  const { call, salt, args } = JSON.parse(line) as Opening & { call: string }
  return { call, opening: { salt, args } }
}

const COMMITMENT_PREFIX = Uint8Array.of(0x02)
const SALT_BYTES = 32

/** The opening of already redacted arguments. */
export function openingOf(args: JsonValue, salt: string): Opening {
  return { salt, args: canonicalText(args) }
}

/**
 * `SHA-256(0x02 || salt || args)`, hex, with the canonical text of the arguments (canonicalText in jcs.ts): `meta.argsCommit` of an intent. Throws RangeError unless the salt is 32
 * bytes: with salts of any length, the salt's last bytes could pass for the first bytes of the arguments.
 */
export function commit(opening: Opening): string {
  const salt = hexToBytes(opening.salt)
  if (salt.length !== SALT_BYTES) throw new RangeError(`a salt has ${SALT_BYTES} bytes`)
  return sha256Hex(concatBytes(COMMITMENT_PREFIX, salt, utf8(opening.args)))
}
