import { expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { crc32, crc32c } from './crc.ts'

it('has the check values of the catalogue', () => {
  expect(crc32(utf8('123456789'))).toBe(0xcbf43926)
  expect(crc32c(utf8('123456789'))).toBe(0xe3069283)
})

// RFC 3720 appendix B.4; the bytes there are in transmission order.
it.each([
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 ascending', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['32 descending', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
])('crc32c of %s', (_, bytes, value) => {
  expect(crc32c(bytes)).toBe(value)
})

it('of nothing is 0, and results are never negative', () => {
  expect([crc32(new Uint8Array()), crc32c(new Uint8Array())]).toEqual([0, 0])
  for (let byte = 0; byte < 256; byte++) {
    expect(crc32(Uint8Array.of(byte))).toBeGreaterThanOrEqual(0)
    expect(crc32c(Uint8Array.of(byte))).toBeGreaterThanOrEqual(0)
  }
})
