/**
 * Cyclic redundancy checks with reflected polynomials, initial value and final XOR of all ones. Results are unsigned.
 */

const table32 = tableFor(0xedb88320)
const table32c = tableFor(0x82f63b78)

/** CRC-32/ISO-HDLC, as in zip and PNG. */
export function crc32(bytes: Uint8Array): number {
  return crc(table32, bytes)
}

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), as Google Cloud APIs use it. */
export function crc32c(bytes: Uint8Array): number {
  return crc(table32c, bytes)
}

function crc(table: Uint32Array, bytes: Uint8Array): number {
  let value = 0xffffffff
  for (const byte of bytes) value = (value >>> 8) ^ table[(value ^ byte) & 0xff]!
  return (value ^ 0xffffffff) >>> 0
}

function tableFor(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1
    return value >>> 0
  })
}
