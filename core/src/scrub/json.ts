import { distinctNames } from '../json/distinct-names.ts'
import { REDACTED_CREDENTIAL } from './redact.ts'
import { doubleOf, isNumberLiteral, type NumberLiteral } from '../json/number-literal.ts'
import { objectOf } from '../json/object-of.ts'
import { isContainer, type JsonObject, type JsonValue } from '../json/value.ts'

/** Scrubs a credential out of a JSON value. */

/** Deeper values are replaced whole, because the scrubber recurses. Answers of `http` tools never nest that deep. */
const DEPTH_MAX = 512

type ScrubText = (text: string) => { text: string; count: number }

/**
 * Scrubs strings and keys at any depth, and scalars that equal the credential. `mayHold` is a quick test that most
 * texts fail.
 */
export function jsonScrubber(credential: string, mayHold: (text: string) => boolean, scrubText: ScrubText) {
  const isCredential = scalarTest(credential)

  const holds = (value: JsonValue, levels: number): boolean => {
    if (typeof value === 'string') return mayHold(value)
    if (!isContainer(value)) return isCredential(value)
    if (levels === 0) return true
    if (Array.isArray(value)) return value.some((item) => holds(item, levels - 1))
    for (const key of Object.keys(value)) {
      if (mayHold(key) || holds(value[key]!, levels - 1)) return true
    }
    return false
  }

  return (whole: JsonValue): { value: JsonValue; count: number } => {
    // Searching is far cheaper than rebuilding, and most answers hold nothing.
    if (!holds(whole, DEPTH_MAX)) return { value: whole, count: 0 }
    let count = 0

    const marker = (): string => {
      count++
      return REDACTED_CREDENTIAL
    }

    const scrub = (value: JsonValue, levels: number): JsonValue => {
      if (typeof value === 'string') return scrubString(value)
      if (!isContainer(value)) return isCredential(value) ? marker() : value
      if (levels === 0) return marker()
      return Array.isArray(value) ? scrubArray(value, levels - 1) : scrubObject(value, levels - 1)
    }

    // Values that hold nothing are shared with the original: a full copy would double the memory.
    const scrubArray = (items: JsonValue[], levels: number): JsonValue[] => {
      const scrubbed = items.map((item) => scrub(item, levels))
      return scrubbed.every((item, i) => item === items[i]) ? items : scrubbed
    }

    const scrubObject = (object: JsonObject, levels: number): JsonObject => {
      const keys = Object.keys(object)
      const names = keys.map(scrubString)
      const values = keys.map((key) => scrub(object[key]!, levels))
      const hasNewNames = names.some((name, i) => name !== keys[i])
      if (!hasNewNames && values.every((value, i) => value === object[keys[i]!])) return object
      return objectOf(hasNewNames ? names.map(distinctNames()) : names, values)
    }

    const scrubString = (text: string): string => {
      const scrubbed = scrubText(text)
      count += scrubbed.count
      return scrubbed.text
    }

    return { value: scrub(whole, DEPTH_MAX), count }
  }
}

/** Whether a number, boolean or null equals the credential. */
function scalarTest(credential: string): (value: number | NumberLiteral | boolean | null) => boolean {
  const number = credential.trim() === '' ? Number.NaN : Number(credential)
  return (value) =>
    typeof value === 'number' || isNumberLiteral(value)
      ? doubleOf(value) === number
      : typeof value === 'boolean' && String(value) === credential
}
