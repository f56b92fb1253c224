import type { Write } from '../ledger/plan.ts'
import type { BreakerDoc } from '../store/documents.ts'
import { policyPaths, type WorkersDoc } from '../store/policy-documents.ts'

/**
 * Circuit breakers of a policy's servers. They stand in the document of its workers, which every call reads anyway: no owner's change is
 * conditional on it, and no worker takes its policy anew for it.
 */

/** What circuits belong to, a policy's change and a worker's arrival: after another of either they start closed. */
export interface Since {
  /** Of the policy. */
  revision: number
  /** See WorkersDoc. */
  connected: number
}

export function sinceOf(revision: number, workers: WorkersDoc | undefined): Since {
  return { revision, connected: workers?.connected ?? 0 }
}

export function breakerOf(
  workers: WorkersDoc | undefined,
  slug: string,
  { revision, connected }: Since,
): BreakerDoc | null {
  const stored = workers?.breakers?.[slug]
  // Calls that began before a worker came may have ended, and opened a circuit, after it did.
  if (stored?.revision !== revision || stored.connected !== connected) return null
  const { openUntilMs, openForMs } = stored
  return { openUntilMs, openForMs }
}

/** Fails when the policy is gone. */
export function breakerWrite(
  { orgId, policyId, slug }: { orgId: string; policyId: string; slug: string },
  since: Since,
  breaker: BreakerDoc | null,
): Write {
  const { revision, connected } = since
  return {
    op: 'update',
    path: policyPaths.workers(orgId, policyId),
    data: { [`breakers.${slug}`]: breaker && { ...breaker, revision, connected } },
  }
}
