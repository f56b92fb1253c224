/** Places in a JSON text. */

export const QUOTE = 0x22
export const BACKSLASH = 0x5c
export const COMMA = 0x2c
export const COLON = 0x3a
export const OPEN_ARRAY = 0x5b
export const CLOSE_ARRAY = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d

/** The index of the closing quote of the string that begins at `start`; the end of the text if there is none. */
export function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = end
    while (text.charCodeAt(escapes - 1) === BACKSLASH) escapes--
    if ((end - escapes) % 2 === 0) return end
  }
  return text.length
}

const MINUS = 0x2d
const PLUS = 0x2b
const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const SMALL_E = 0x65
const LARGE_E = 0x45

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}

/** Whether a character outside of strings begins a number. */
export function beginsNumber(code: number): boolean {
  return isDigit(code) || code === MINUS
}

/** The index behind the number that begins at `start`. */
export function endOfNumber(text: string, start: number): number {
  let end = start + 1
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end)
    if (!isDigit(code) && code !== DOT && code !== SMALL_E && code !== LARGE_E && code !== MINUS && code !== PLUS) break
  }
  return end
}

/** Decimals of so many digits all come out of a double as they went in. */
const SAFE_DIGITS = 15

/**
 * Whether a number of a text would be printed otherwise from a double. Most numbers are short and plain, which needs no
 * look at the double.
 */
export function isLiteralKept(text: string, start: number, end: number): boolean {
  if (end - start <= SAFE_DIGITS && isPlain(text, start, end)) return false
  const literal = text.slice(start, end)
  return String(Number(literal)) !== literal
}

/** Whether a number is digits, maybe with a point and decimals that do not end in 0. A double prints very small ones otherwise. */
function isPlain(text: string, start: number, end: number): boolean {
  const first = text.charCodeAt(start) === MINUS ? start + 1 : start
  let at = first
  while (at < end && isDigit(text.charCodeAt(at))) at++
  if (at === end) return first === start || text.charCodeAt(first) !== ZERO
  if (text.charCodeAt(at) !== DOT || text.charCodeAt(end - 1) === ZERO || text.startsWith(TINY, first)) return false
  do at++
  while (at < end && isDigit(text.charCodeAt(at)))
  return at === end
}

const TINY = '0.000000'
