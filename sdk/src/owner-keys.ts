import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'

export interface OwnerKeys {
  /** Owner: a key for scripts that acts as its owner. Shown this once. */
  create(input: { label: string; orgId?: string }, options?: CallOptions): Promise<{ keyId: string; key: string }>
  /** Owner: the key fails from the next call on. */
  revoke(input: { keyId: string }, options?: CallOptions): Promise<{ keyId: string }>
}

const CREATE = { label: check.label, orgId: check.optional(check.id) }

export function createOwnerKeys(call: Call): OwnerKeys {
  return {
    async create(input, options) {
      check.checkFields(input, CREATE)
      return call('admin/createOwnerKey', input, { keyId: 'string', key: 'string' }, options)
    },
    async revoke(input, options) {
      check.checkFields(input, { keyId: check.id })
      return call('admin/revokeOwnerKey', input, { keyId: 'string' }, options)
    },
  }
}
