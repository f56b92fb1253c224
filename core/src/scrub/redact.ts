import { distinctNames } from '../json/distinct-names.ts'
import { objectOf } from '../json/object-of.ts'
import { parsePointer, pointersInto, type Pointer } from './redact-pointer.ts'
import { replaceSecrets } from './secret-formats.ts'
import { isContainer, type JsonValue } from '../json/value.ts'

/** Redacts arguments before they are stored. */

/** Replaces values that must not be stored. */
export const REDACTED = '[redacted]'
/** Replaces a tool's credential in an upstream's answer. */
export const REDACTED_CREDENTIAL = '[redacted:credential]'

/** Names of fields whose values are always credentials; compared without case, "-" and "_". */
const SENSITIVE =
  /(?:password|passwd|passphrase|secret|token|apikey|accesskey|privatekey|credential|authorization|cookie|sessionid|otp|pin$|cvv|cvc|cardnumber|iban|ssn)/

/**
 * A copy of the arguments, redacted at every depth: values of sensitive fields, values that the registration's
 * `pointers` lead to, and secrets of well-known formats in strings and keys. A pointer that leads nowhere has no
 * effect; a malformed one throws RangeError (redact-pointer.ts).
 */
export function redactArgs(args: JsonValue, pointers: readonly string[] = []): JsonValue {
  return redact(args, pointers.map(parsePointer))
}

function redact(value: JsonValue, pointers: readonly Pointer[]): JsonValue {
  if (pointers.some((pointer) => pointer.length === 0)) return REDACTED
  if (typeof value === 'string') return replaceSecrets(value, REDACTED)
  if (!isContainer(value)) return value
  if (Array.isArray(value)) return value.map((item, i) => redact(item, pointersInto(pointers, String(i))))
  const keys = Object.keys(value)
  const names = keys.map((name) => replaceSecrets(name, REDACTED)).map(distinctNames())
  return objectOf(
    names,
    keys.map((name) => (isSensitiveName(name) ? REDACTED : redact(value[name]!, pointersInto(pointers, name)))),
  )
}

/** Whether a field of this name holds a credential, whatever its value is. */
export function isSensitiveName(name: string): boolean {
  return SENSITIVE.test(name.toLowerCase().replaceAll(/[-_\s]/g, ''))
}
