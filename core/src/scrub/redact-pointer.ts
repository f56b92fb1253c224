import { JSON_DEPTH_MAX } from '../limits.ts'
import { fail, ok, type Result } from '../result.ts'

/** JSON pointers to the argument values that an owner wants redacted. */

/** A pointer's unescaped segments. */
export type Pointer = readonly string[]

/** Matches any item of an array and any key of an object. A key that is itself `*` is matched with the others. */
const ANY = '*'
const POINTER_LENGTH_MAX = 512

/**
 * Checks a JSON pointer (RFC 6901) in which a segment may be `*` for any key or index. The empty pointer means the
 * whole value. Errors: invalid_argument.
 */
export function checkPointer(text: string): Result<string> {
  const problem = problemOf(text)
  return problem === null ? ok(text) : fail('invalid_argument', `redact: ${problem}`, { field: 'redact' })
}

function problemOf(text: string): string | null {
  if (text.length > POINTER_LENGTH_MAX) return `A pointer has ${POINTER_LENGTH_MAX} characters at most.`
  if (!text.isWellFormed()) return 'A pointer holds a lone surrogate.'
  const shown = JSON.stringify(text)
  if (text !== '' && !text.startsWith('/')) return `${shown} is no JSON pointer: it does not begin with "/".`
  if (/~(?![01])/.test(text)) return `${shown} is no JSON pointer: "~" is written "~0", and "/" within a name "~1".`
  if (text.split('/').length - 1 > JSON_DEPTH_MAX)
    return `A pointer has ${JSON_DEPTH_MAX} segments at most, as arguments have levels.`
  return null
}

/** Throws RangeError for a pointer that checkPointer refuses: ignoring the rule would disclose its value. */
export function parsePointer(text: string): Pointer {
  const problem = problemOf(text)
  if (problem !== null) throw new RangeError(problem)
  return text
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The rest of each pointer that leads to `key`, relative to the value there. */
export function pointersInto(pointers: readonly Pointer[], key: string): readonly Pointer[] {
  if (pointers.length === 0) return pointers
  return pointers.filter(([first]) => first === key || first === ANY).map((pointer) => pointer.slice(1))
}
