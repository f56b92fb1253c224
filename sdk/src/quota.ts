import { QUOTA_MAX } from '@vitrine/core/limits'
import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'

/** Of an owner, in invocations. */
export interface QuotaState {
  /** A month. */
  limit: number
  used: number
  /** When the next month begins, RFC 3339. */
  resetsAt: string
}

/** Of one agent in one month, in invocations. */
export interface UsageReport {
  /** `YYYY-MM`, UTC. */
  month: string
  invoked: number
  /** Given back because no answer came from the tool. */
  credited: number
  /** Of the owner, shared by all of the owner's agents. */
  limit: number
}

export interface Quotas {
  /** Org owner or admin: what an owner may invoke a month. Without `ownerUid` the caller, without `orgId` the caller's own organization. */
  set(
    input: { ownerUid?: string; orgId?: string; monthlyInvocations: number },
    options?: CallOptions,
  ): Promise<QuotaState>
  /** Owner: what an agent used; this month, when none is given. */
  usage(input: { agentId: string; month?: string }, options?: CallOptions): Promise<UsageReport>
}

const SET = {
  ownerUid: check.optional(check.uid),
  orgId: check.optional(check.id),
  monthlyInvocations: check.whole(0, QUOTA_MAX),
}
const USAGE = { agentId: check.id, month: check.optional(check.month) }

export function createQuota(call: Call): Quotas {
  return {
    async set(input, options) {
      check.checkFields(input, SET)
      return call('admin/setQuota', input, { limit: 'number', used: 'number', resetsAt: 'string' }, options)
    },
    async usage(input, options) {
      check.checkFields(input, USAGE)
      return call(
        'admin/getUsage',
        input,
        { month: 'string', invoked: 'number', credited: 'number', limit: 'number' },
        options,
      )
    },
  }
}
