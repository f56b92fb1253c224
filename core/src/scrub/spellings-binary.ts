import { bytesToBase64, bytesToHex, utf8 } from '../bytes.ts'
import { lowerCased, type Encode } from './spellings-escapes.ts'

/** Spellings of a secret's bytes: hex, base64, base32. */

/** What a hex dump writes between bytes and before the first one. */
const HEX_LAYOUTS: [before: string, between: string][] = [
  ['', ':'],
  ['', ' '],
  ['', '-'],
  ['\\x', '\\x'],
  ['\\\\x', '\\\\x'],
  ['0x', ' 0x'],
  ['0x', ',0x'],
  ['0x', ', 0x'],
]

/** The only characters of base64 that get escaped are "+", "/" and "=". */
export const BASE64_ESCAPES: Encode[] = [
  encodeURIComponent,
  lowerCased(encodeURIComponent),
  (text) => encodeURIComponent(encodeURIComponent(text)),
  (text) => text.replaceAll('/', '\\/'),
  // .NET
  (text) => text.replaceAll('+', '\\u002B'),
]

/** `text` and `bytes` are the same secret. `rare` adds spellings that seldom occur. */
export function* binarySpellings(text: string, bytes: Uint8Array, rare: boolean): Generator<string> {
  const hex = bytesToHex(bytes)
  yield hex
  yield hex.toUpperCase()
  for (const spelling of base64Of(bytes)) {
    yield spelling
    if (/[+/=]/.test(spelling)) for (const escape of BASE64_ESCAPES) yield escape(spelling)
  }
  if (!rare) return
  const digits = hex.match(/../g)!
  for (const [before, between] of HEX_LAYOUTS) {
    for (const pairs of [digits, digits.map((pair) => pair.toUpperCase())]) yield before + pairs.join(between)
  }
  // as a list of numbers
  for (const between of [',', ', ', ' ']) yield bytes.join(between)
  const base64 = bytesToBase64(bytes)
  for (const inner of [utf8(base64), utf8(base64.replace(/=+$/, '')), utf16(text)]) yield* base64Of(inner)
  yield* base32Of(bytes)
  // UTF-16 as bytes; it fits both byte orders, because the zero bytes at the ends are left out.
  if (/^[\0-\x7f]*$/.test(text)) yield text.split('').join('\0')
}

/**
 * The base64 and base64url of bytes within any longer input. Three bytes make four characters, so there are three
 * alignments. Characters that also hold bits of a neighbouring byte are left out, except at the end of the input, where
 * no byte follows.
 */
function* base64Of(bytes: Uint8Array): Generator<string> {
  for (let before = 0; before < 3; before++) {
    const padded = bytesToBase64(behindZeros(bytes, before)).slice(Math.ceil((before * 8) / 6))
    const whole = Math.floor(((before + bytes.length) * 8) / 6) - Math.ceil((before * 8) / 6)
    for (const text of new Set([padded.slice(0, whole), padded.replace(/=+$/, ''), padded])) {
      yield text
      if (/[+/]/.test(text)) yield text.replaceAll('+', '-').replaceAll('/', '_')
    }
  }
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Base32 (RFC 4648, section 6), likewise: five bytes make eight characters. */
function* base32Of(bytes: Uint8Array): Generator<string> {
  for (let before = 0; before < 5; before++) {
    const text = toBase32(behindZeros(bytes, before)).slice(
      Math.ceil((before * 8) / 5),
      Math.floor(((before + bytes.length) * 8) / 5),
    )
    yield text
    yield text.toLowerCase()
  }
}

function toBase32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let left = 0
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xfff
    left += 8
    for (; left >= 5; left -= 5) text += BASE32.charAt((bits >> (left - 5)) & 31)
  }
  return text
}

function behindZeros(bytes: Uint8Array, count: number): Uint8Array {
  const whole = new Uint8Array(count + bytes.length)
  whole.set(bytes, count)
  return whole
}

/** UTF-16, little-endian: PowerShell encodes this as base64. */
function utf16(text: string): Uint8Array {
  const bytes = new Uint8Array(2 * text.length)
  for (let i = 0; i < text.length; i++) {
    bytes[2 * i] = text.charCodeAt(i) & 0xff
    bytes[2 * i + 1] = text.charCodeAt(i) >> 8
  }
  return bytes
}
