import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'

export interface Orgs {
  /** Owner or admin of the organization: whether agents may read credentials at all. The tool must allow it too. */
  setCredentialAccess(
    input: { orgId: string; allowed: boolean },
    options?: CallOptions,
  ): Promise<{ orgId: string; allowed: boolean }>
  /**
   * Owner or admin of the organization (the caller's own without `orgId`): gives a person a role in it, or takes it with null.
   * Roles of owners and admins are the owners' to change; nobody changes their own.
   */
  setMember(
    input: { orgId?: string; uid: string; role: Role | null },
    options?: CallOptions,
  ): Promise<{ orgId: string; uid: string; role: Role | null }>
}

/** What a person may do in an organization; an auditor reads its audit and nothing else. */
export type Role = 'owner' | 'admin' | 'member' | 'auditor'

export function createOrgs(call: Call): Orgs {
  return {
    async setCredentialAccess(input, options) {
      check.checkFields(input, { orgId: check.id, allowed: check.flag })
      return call('admin/setCredentialAccess', input, { orgId: 'string', allowed: 'boolean' }, options)
    },
    async setMember(input, options) {
      check.checkFields(input, {
        orgId: check.optional(check.id),
        uid: check.id,
        role: check.orNull(check.oneOf('owner', 'admin', 'member', 'auditor')),
      })
      return call('admin/setMember', input, { orgId: 'string', uid: 'string' }, options)
    },
  }
}
