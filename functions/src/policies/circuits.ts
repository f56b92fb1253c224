import type { Write } from '../ledger/plan.ts'
import type { BreakerDoc } from '../store/documents.ts'
import { policyPaths, type WorkersDoc } from '../store/policy-documents.ts'

/**
 * Circuit breakers of a policy's servers. They are stored in the document of the policy's workers, which every call
 * reads anyway. Owners' changes are not conditional on that document, and its changes don't make workers fetch their
 * policy again.
 */

/** The state that a circuit belongs to. A change of the policy or a newly connected worker closes all circuits. */
export interface Since {
  /** The policy's revision. */
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
  // A call that began before a worker connected may have opened a circuit after it did; such a circuit does not count.
  if (stored?.revision !== revision || stored.connected !== connected) return null
  const { openUntilMs, openForMs } = stored
  return { openUntilMs, openForMs }
}

/** The write fails if the policy was deleted. */
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
