import { hash } from 'node:crypto'

/** SHA-256 for Node. */

/** SHA-256 as lower-case hex. Node's one-shot hash creates no object per call, which matters on the dispatch path. */
export function sha256Hex(data: Uint8Array): string {
  return hash('sha256', data, 'hex')
}

/** SHA-256 as 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return hash('sha256', data, 'buffer')
}
