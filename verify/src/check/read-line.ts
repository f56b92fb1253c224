import { entryTextOf, parseBundleLine, problemOfLine, type BundleLine, type LineError } from '@vitrine/core/log/bundle'
import { utf8 } from '@vitrine/core/bytes'
import { canonicalize } from '@vitrine/core/json/jcs'
import type { JsonValue } from '@vitrine/core/json/value'
import { leafHash } from '@vitrine/core/log/merkle'

/** What a line says, as far as it can be told: one bad line must not hide the ones behind it. */
export interface ReadLine {
  error: LineError | undefined
  /** Undefined when it is none of the known lines. */
  line: BundleLine | undefined
  /** Whether an entry stands there, be it one that cannot be used. */
  isEntry: boolean
  /** Of an entry that can be hashed. */
  leaf: Uint8Array | undefined
  /** Of an entry that cannot be used, when it says so. */
  seq: number | undefined
}

/** `undefined` stands for a line that is not UTF-8. */
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
    return undefined // canonical JSON cannot represent it, which is reported already
  }
}

function fieldOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.hasOwn(value, name) ? value[name] : undefined
}
