import { randomBytes } from 'node:crypto'

/** A new id, `{prefix}_{20 hex digits}`: 80 random bits, safe in keys, paths and URLs. */
export function newId(prefix: 'agt' | 'key' | 'pol' | 'team'): string {
  return `${prefix}_${randomBytes(10).toString('hex')}`
}
