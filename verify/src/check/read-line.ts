import { entryTextOf, parseBundleLine, problemOfLine, type BundleLine, type LineError } from '@vitrine/core/log/bundle'
import { utf8 } from '@vitrine/core/bytes'
import { canonicalize } from '@vitrine/core/json/jcs'
import { isObject, type JsonValue } from '@vitrine/core/json/value'
import { leafHash } from '@vitrine/core/log/merkle'

/** As much of a line as can be read: one bad line must not hide the lines after it. */
export interface ReadLine {
  error: LineError | undefined
  /** Undefined if the line is of no known type. */
  line: BundleLine | undefined
  /** Whether the line is an entry, valid or not. */
  isEntry: boolean
  /** Leaf hash of an entry that can be hashed. */
  leaf: Uint8Array | undefined
  /** Sequence number of an unusable entry that has one. */
  seq: number | undefined
}

/** `undefined` means a line that is not UTF-8. */
export function readLine(text: string | undefined): ReadLine {
  if (text === undefined) return unusable({ code: 'not_json', reason: 'the line is not UTF-8' }, false)
  const parsed = parseBundleLine(text)
  if (parsed.ok) {
    const isEntry = parsed.value.type === 'entry'
    return {
      error: undefined,
      line: parsed.value,
      isEntry,
      leaf: isEntry ? leafHash(utf8(entryTextOf(text))) : undefined,
      seq: undefined,
    }
  }
  const { error } = parsed
  const { value } = error
  if (error.code !== 'not_canonical' || value === undefined || problemOfLine(value) !== undefined) {
    return unusable(error, text.startsWith('{"entry":'), fieldOf(value, 'entry'))
  }
  const line = value as unknown as BundleLine
  return {
    error,
    line,
    isEntry: line.type === 'entry',
    leaf: line.type === 'entry' ? leafOf(fieldOf(value, 'entry')) : undefined,
    seq: undefined,
  }
}

function unusable(error: LineError, looksLikeEntry: boolean, entry?: JsonValue): ReadLine {
  const seq = fieldOf(entry, 'seq')
  return {
    error,
    line: undefined,
    isEntry: looksLikeEntry || entry !== undefined,
    leaf: leafOf(entry),
    seq: typeof seq === 'number' ? seq : undefined,
  }
}

function leafOf(entry: JsonValue | undefined): Uint8Array | undefined {
  if (entry === undefined) return undefined
  try {
    return leafHash(utf8(canonicalize(entry)))
  } catch {
    return undefined // canonical JSON cannot represent it, which is already reported
  }
}

function fieldOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (!isObject(value)) return undefined
  return Object.hasOwn(value, name) ? value[name] : undefined
}
