import { stripVTControlCharacters } from 'node:util'
import { isObject, type JsonValue } from '@vitrine/core/json/value'
import { REASON_LENGTH_MAX, REASON_LINES_MAX } from './bounds.ts'

/** Finds in a server's stderr why its process ended. */

/** Lines around an error that do not say what it is. */
const NOISE: readonly RegExp[] = [
  // brackets, carets, rules: nothing that can be read
  /^[^\p{L}\p{N}]*$/u,
  // stack frames of V8, Python, Go, Rust and Ruby, and of native code
  /^at (?:async |new )?[\w$.<>[\] #/:@+~-]+(?:\(.*\).*|:\d+\)?|$)/,
  /^at .*(?:\(.*\)|:\d+:\d+\)?)(?: \{)?$/,
  /^File ".*", line \d+/,
  /^goroutine \d+ \[.*\]:$/,
  /^[\w./*]+(?:\.\(\*?\w+\))?\.\w+\((?:0x[0-9a-f]+|[{}.,? ])*[^)]*\)$/,
  /^\S+\.(?:go|rs|c|cc|cpp):\d+(?::\d+)?(?: \+0x[0-9a-f]+)?$/,
  /^\d+: (?:0x|\S+::)/,
  /^from \S+:\d+:in /,
  /^\.{3} \d+ (?:more|lines matching)/,
  /^(?:created by \S+|stack backtrace:|exit status \d+|note: run with `RUST_BACKTRACE.*|goexit.*)$/i,
  // the place that Node names before it shows the code
  /^(?:file:\/\/|node:|\/|[A-Za-z]:\\)\S*:\d+(?::\d+)?$/,
  // code
  /^>? *\d+ *\|/,
  /^throw (?:new )?[\w$.'"]/,
  // properties of a printed error
  /^['"[]?(?!err|mess|msg|reason|fatal|panic)[a-z]\w*['"\]]?: (?:['"`].*['"`]|-?\d+n?|null|undefined|true|false|[[{])[,\]})]*$/,
  /^(?:Require stack|Traceback \(most recent call last\)|Usage stack):$/,
  /^- (?:\/|node:|file:|[A-Za-z]:\\)\S+$/,
  /^Node\.js v\d/,
  /^\(Use `?node --trace-/,
  /^\(node:\d+\) (?:\[\w+\] )?(?!UnhandledPromise)\w*Warning: /,
  /^(?:npm (?:err!|error) )?A complete log of this run can be found in/i,
  /^(?:During handling of the above exception|The above exception was the direct cause)/,
]

/** The error follows the last of these: a traceback of Python, the caret below the code that failed. */
const LEADS = /^(?:Traceback \(most recent call last\):|[~^]*\^[~^]*)$/

/** What a line with the reason looks like, the surest first, and which of several such lines says most. */
const REASONS: readonly { pattern: RegExp; take: 'first' | 'last' }[] = [
  // Error: x, TypeError [ERR_X]: x, Uncaught java.lang.SomeException: x
  {
    pattern:
      /^\W*(?:\(node:\d+\) )?(?:(?:Uncaught|Unhandled|Caused by|Exception in thread "[^"]*"|\[?\w*Rejection(?:Warning)?)[: ]+)*(?:[\w$]+[.:])*[\w$]*(?:Error|Exception|Rejection)(?: \[\w+\])?(?::|$)/,
    take: 'first',
  },
  { pattern: /^(?:panic: |fatal error: |fatal: |thread '.*' (?:\(\d+\) )?panicked at )/i, take: 'first' },
  {
    pattern: /\b(?:Cannot find (?:module|package)|ERR_[A-Z_]+|E(?:NOENT|ACCES|PERM|ADDRINUSE|CONNREFUSED|NOTFOUND))\b/,
    take: 'first',
  },
  // the level of a log, behind a time or a name as well
  {
    pattern:
      /\b(?:fatal|critical|error|err!)\b\]?\s*[\]:|!=-]|\blevel="?(?:error|fatal|crit)|^\W*\S*\W*(?:FATAL|CRITICAL|ERROR)\b|^(?:npm )?(?:err!|error|fatal) /i,
    take: 'first',
  },
  {
    pattern:
      /\b(?:requires?|required|missing|must|not set|undefined|not found|no such|not installed|invalid|fail(?:ed|ure|s)?|cannot|can't|could not|couldn't|unable|unknown|unsupported|denied|refused|unauthori[sz]ed|forbidden|expired|out of memory|please (?:set|provide)|at least one)\b/i,
    take: 'last',
  },
  { pattern: /^usage\b/i, take: 'first' },
  { pattern: /./, take: 'last' },
]

const MESSAGES = ['msg', 'message', 'error', 'err', 'reason', 'detail'] as const
/** Levels of pino and bunyan are numbers. */
const ERROR_LEVEL = 50

interface Line {
  /** As people read it. */
  text: string
  /** The text with the level that a log gives it. */
  judged: string
  indented: boolean
  noise: boolean
}

/**
 * The line that says why a process ended, out of the last ones that it wrote; with the next ones where it goes on. Null
 * if none says anything. One line of at most REASON_LENGTH_MAX characters.
 */
export function reasonIn(written: readonly string[]): string | null {
  const lines = written.map(lineOf)
  const lead = lines.findLastIndex(({ text }) => LEADS.test(text))
  const led = lead === -1 ? -1 : lines.findIndex(({ noise, indented }, at) => at > lead && !noise && !indented)
  const at = led === -1 ? likeliest(lines) : led
  return at === -1 ? null : whole(lines, at)
}

/** What happened, with what the server said of it. */
export function withReason(what: string, reason: string | null): string {
  return reason === null ? what : `${what} It said: ${reason}`
}

function likeliest(lines: readonly Line[]): number {
  for (const { pattern, take } of REASONS) {
    const fits = ({ judged, noise }: Line): boolean => !noise && pattern.test(judged)
    const at = take === 'first' ? lines.findIndex(fits) : lines.findLastIndex(fits)
    if (at !== -1) return at
  }
  return -1
}

function whole(lines: readonly Line[], at: number): string {
  let text = lines[at]!.text
  for (const next of lines.slice(at + 1, at + REASON_LINES_MAX)) {
    if (next.text === '' || next.text.startsWith('at ') || !goesOn(text, next)) break
    text = `${text} ${next.text}`
  }
  return text.length <= REASON_LENGTH_MAX ? text : `${text.slice(0, REASON_LENGTH_MAX).toWellFormed()}…`
}

/** A printed object or a list belongs to the line that begins it. */
function goesOn(text: string, next: Line): boolean {
  const opened = [...text.matchAll(/[[{(]/g)].length - [...text.matchAll(/[\]})]/g)].length
  return opened > 0 || (!next.noise && (/[:,]$/.test(text) || /^[-*•] /.test(next.text)))
}

function lineOf(raw: string): Line {
  const plain = stripVTControlCharacters(raw).replaceAll(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, ' ')
  const logged = entryOf(plain)
  const text = (logged?.message ?? plain).trim().replaceAll(/\s+/g, ' ')
  return {
    text,
    judged: logged?.isError ? `error: ${text}` : text,
    indented: /^\s/.test(plain),
    noise: NOISE.some((pattern) => pattern.test(text)),
  }
}

/** A line of a structured log; null for any other line. */
function entryOf(line: string): { message: string; isError: boolean } | null {
  if (!line.trimStart().startsWith('{')) return null
  try {
    const entry = JSON.parse(line) as JsonValue
    const message = messageOf(entry)
    if (!isObject(entry) || message === null) return null
    const level = entry['level'] ?? entry['severity'] ?? entry['levelname'] ?? null
    const isError =
      typeof level === 'number' ? level >= ERROR_LEVEL : /^(?:err|fatal|crit|alert|emerg|panic)/i.test(String(level))
    return { message, isError }
  } catch {
    return null
  }
}

/** The text of a log's entry, with the error that it holds. */
function messageOf(value: JsonValue): string | null {
  if (typeof value === 'string') return value
  if (!isObject(value)) return null
  const said = MESSAGES.flatMap((name) => (value[name] === undefined ? [] : (messageOf(value[name]) ?? [])))
  return said.length === 0 ? null : [...new Set(said)].slice(0, 2).join(': ')
}
