import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'

export interface Orgs {
  /** Owner or admin of the organization: whether agents may read credentials at all. The tool must allow it too. */
  setCredentialAccess(input: { orgId: string; allowed: boolean }, options?: CallOptions): Promise<{ orgId: string; allowed: boolean }>
}

export function createOrgs(call: Call): Orgs {
  return {
    async setCredentialAccess(input, options) {
      check.checkFields(input, { orgId: check.id, allowed: check.flag })
      return call('admin/setCredentialAccess', input, { orgId: 'string', allowed: 'boolean' }, options)
    },
  }
}
