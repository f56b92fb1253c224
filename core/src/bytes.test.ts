import { describe, expect, it } from 'vitest'
import {
  base64ToBytes,
  bytesEqual,
  bytesToBase64,
  bytesToHex,
  concatBytes,
  fromUtf8,
  hexToBytes,
  utf8,
} from './bytes.ts'

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, i) => i)

describe('UTF-8', () => {
  it.each(['', 'a', 'ü€😀', '\u0000', '\uFEFFwith a byte order mark'])('round trip of %j', (text) => {
    expect(fromUtf8(utf8(text))).toBe(text)
  })

  it.each([
    ['a lone continuation byte', [0x80]],
    ['a truncated sequence', [0xe2, 0x82]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ])('throws on %s', (_, bytes) => {
    expect(() => fromUtf8(Uint8Array.from(bytes))).toThrow(TypeError)
  })
})

describe('hex', () => {
  it('round trip of every byte', () => {
    expect(bytesToHex(EVERY_BYTE)).toBe(Buffer.from(EVERY_BYTE).toString('hex'))
    expect(hexToBytes(bytesToHex(EVERY_BYTE))).toEqual(EVERY_BYTE)
    expect(hexToBytes('')).toEqual(new Uint8Array())
  })

  it.each(['a', 'AB', '0x', 'zz', ' 00', '00\n', '٠٠'])('throws on %j', (text) => {
    expect(() => hexToBytes(text)).toThrow(RangeError)
  })
})

describe('base64', () => {
  it.each([
    ['', ''],
    ['f', 'Zg=='],
    ['fo', 'Zm8='],
    ['foo', 'Zm9v'],
    ['foob', 'Zm9vYg=='],
    ['fooba', 'Zm9vYmE='],
    ['foobar', 'Zm9vYmFy'],
  ])('of %j is %j (RFC 4648 section 10)', (text, encoded) => {
    expect(bytesToBase64(utf8(text))).toBe(encoded)
    expect(fromUtf8(base64ToBytes(encoded))).toBe(text)
  })

  it('round trip across the chunks in which it encodes', () => {
    const bytes = Uint8Array.from({ length: 0x8000 * 2 + 1 }, (_, i) => i % 251)
    expect(bytesToBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
    expect(base64ToBytes(bytesToBase64(bytes))).toEqual(bytes)
  })

  it.each([
    ['missing padding', 'Zg'],
    ['half the padding', 'Zg='],
    ['too much padding', 'Zm9v===='],
    ['padding alone', '===='],
    ['padding inside', 'Zg==Zg=='],
    ['stray bits, one byte', 'Zh=='],
    ['stray bits, two bytes', 'Zm9='],
    ['white space inside', 'Zm 9v'],
    ['a line break at the end', 'Zm9v\n'],
    ['the URL alphabet', '-_-_'],
    ['what is no base64', 'Zm9ü'],
  ])('throws RangeError on %s', (_, text) => {
    expect(() => base64ToBytes(text)).toThrow(RangeError)
  })
})

describe('several byte strings', () => {
  it('are joined in order', () => {
    expect(concatBytes()).toEqual(new Uint8Array())
    expect(concatBytes(Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3))
  })

  it.each([
    [[], [], true],
    [[1, 2], [1, 2], true],
    [[1, 2], [1, 3], false],
    [[1, 2], [1, 2, 3], false],
    [[1, 2, 3], [1, 2], false],
  ])('%j equals %j: %s', (a, b, equal) => {
    expect(bytesEqual(Uint8Array.from(a), Uint8Array.from(b))).toBe(equal)
  })
})
