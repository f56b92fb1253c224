import type { JsonValue } from './json-value.ts'

/** Stands in for what must not be kept. */
export const REDACTED = '[redacted]'
/** Stands in for a tool's credential in what an upstream answers. */
export const REDACTED_CREDENTIAL = '[redacted:credential]'

/** Field names whose values are credentials whatever they hold; compared without case, "-" and "_". */
const SENSITIVE = /(?:password|passwd|passphrase|secret|token|apikey|accesskey|privatekey|credential|authorization|cookie|sessionid|otp|pin$|cvv|cvc|cardnumber|iban|ssn)/

/** A copy of the arguments with the values of sensitive fields replaced, at every depth. */
export function redactArgs(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map((item) => redactArgs(item))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, isSensitiveName(name) ? REDACTED : redactArgs(inner)]),
  )
}

/** Whether a field of this name holds a credential, whatever its value looks like. */
export function isSensitiveName(name: string): boolean {
  return SENSITIVE.test(name.toLowerCase().replaceAll(/[-_\s]/g, ''))
}
