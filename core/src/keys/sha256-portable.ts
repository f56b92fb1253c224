import { sha256 as noble } from '@noble/hashes/sha2.js'
import { bytesToHex } from '../bytes.ts'

// Browsers have no synchronous SHA-256; this stands in wherever Node's is not there.

/** SHA-256 as lower-case hex. */
export function sha256Hex(data: Uint8Array): string {
  return bytesToHex(noble(data))
}

/** SHA-256 as 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return noble(data)
}
