import type { RE2JS } from 're2js'

/** A regular expression that searches in time proportional to text and program. */
export interface Pattern {
  test(text: string): boolean
  /** Number of instructions. */
  size: number
}

const PATTERN_LENGTH_MAX = 1_000
/** Length times the sum of all repeat counts: an upper estimate of the program's size before it is compiled. */
const ESTIMATE_MAX = 50_000
const SIZE_MAX = 3_000
/** Instructions in all patterns of a schema together; each takes about 10 µs to make. */
const SIZES_MAX = 10_000

/**
 * Compiles ECMA-262 patterns with RE2, by source. Those that RE2 lacks (lookaround, backreferences) or that are too large are left out:
 * a hostile pattern can keep V8's engine busy for years.
 */
export async function searchable(sources: Iterable<string>): Promise<Map<string, Pattern>> {
  const patterns = new Map<string, Pattern>()
  const wanted = new Set(sources)
  if (wanted.size === 0) return patterns
  const { RE2JS } = await import('re2js')
  let size = 0
  for (const source of wanted) {
    const pattern = size < SIZES_MAX ? compile(RE2JS, source) : undefined
    if (!pattern) continue
    size += pattern.size
    patterns.set(source, pattern)
  }
  return patterns
}

function compile(engine: typeof RE2JS, source: string): Pattern | undefined {
  if (source.length > PATTERN_LENGTH_MAX || estimate(source) > ESTIMATE_MAX) return undefined
  try {
    const compiled = engine.compile(engine.translateRegExp(asInEcma(source)))
    const size = compiled.programSize()
    return size > SIZE_MAX ? undefined : { test: (text) => compiled.test(text), size }
  } catch {
    return undefined
  }
}

function estimate(source: string): number {
  const repeats = [...source.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].reduce(
    (sum, [, least, most]) => sum + Math.max(Number(least), Number(most ?? 0)),
    0,
  )
  return source.length * Math.max(1, repeats)
}

/** ECMA-262 counts more characters as white space than RE2. */
function asInEcma(source: string): string {
  let inClass = false
  return source.replace(/\\s|\\[\s\S]|[[\]]/g, (token) => {
    if (token === '[') inClass = true
    if (token === ']') inClass = false
    if (token !== '\\s') return token
    const space = '\\s\\v\\x{a0}\\x{feff}\\x{2028}\\x{2029}\\p{Zs}'
    return inClass ? space : `[${space}]`
  })
}
