import { sha256 as noble } from '@noble/hashes/sha2.js'
import { bytesToHex } from '../bytes.ts'

// SHA-256 for browsers, which have no synchronous one. Bundles for Node use sha256-node.ts instead.

/** SHA-256 as lower-case hex. */
export function sha256Hex(data: Uint8Array): string {
  return bytesToHex(noble(data))
}

/** SHA-256 as 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return noble(data)
}
