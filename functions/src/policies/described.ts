import type { Pin } from '@vitrine/core/policy/pin'
import type { ServerConfig } from '@vitrine/core/policy/server-config'
import type { ServerState } from '@vitrine/core/policy/worker-protocol'
import { WORKER_LIVE_MS } from '@vitrine/core/limits'
import { breakerState, type BreakerState } from '../store/breaker-state.ts'
import { breakerOf, sinceOf } from './circuits.ts'
import type { ServerDoc, ToolPolicyDoc, WorkersDoc } from '../store/policy-documents.ts'
import { pinFor } from './records.ts'

/** A policy as its readers see it: without key, secrets and ciphertext. */
export interface DescribedPolicy extends Omit<ToolPolicyDoc, 'revision'> {
  policyId: string
}

/** What is known about a server besides its configuration. */
export interface DescribedServer {
  slug: string
  /** Null until a worker has started it, and for servers of the node. */
  pinned: Pin | null
  manifestHash: string | null
  /** Set while a changed manifest waits for approval. */
  manifestPendingHash: string | null
  /** Set while a list that cannot be taken stands in the place of the pinned one. */
  manifestProblem: string | null
  breaker: BreakerState
}

export interface DescribedWorker {
  instanceId: string
  live: boolean
  /** RFC 3339. */
  seenAt: string
  servers: { slug: string; state: ServerState; error?: string }[]
}

export function describePolicy(
  policyId: string,
  { orgId, name, teams, builtins, servers, version }: ToolPolicyDoc,
): DescribedPolicy {
  return { policyId, orgId, name, teams, builtins, servers, version }
}

/** Describes a server from its own document and that of the policy's workers; `revision` is the policy's. */
export function describeServer(
  server: ServerConfig,
  doc: ServerDoc | undefined,
  workers: WorkersDoc | undefined,
  revision: number,
  nowMs: number,
): DescribedServer {
  const { slug } = server
  const breaker = breakerState(breakerOf(workers, slug, sinceOf(revision, workers)), nowMs)
  if (!doc) return { slug, pinned: null, manifestHash: null, manifestPendingHash: null, manifestProblem: null, breaker }
  return {
    slug,
    pinned: pinFor(server, doc),
    manifestHash: doc.manifestHash,
    manifestPendingHash: doc.manifestPendingHash,
    manifestProblem: doc.manifestProblem ?? null,
    breaker,
  }
}

/** The workers of a policy, most recently seen first. Their addresses are not shown. */
export function describeWorkers(doc: WorkersDoc | undefined, nowMs: number): DescribedWorker[] {
  return Object.entries(doc?.workers ?? {})
    .map(([instanceId, { seenAt, servers }]) => ({
      instanceId,
      live: nowMs - seenAt.toMillis() <= WORKER_LIVE_MS,
      seenAt: seenAt.toDate().toISOString(),
      servers: Object.entries(servers).map(([slug, { state, error }]) => ({
        slug,
        state,
        ...(error !== undefined && { error }),
      })),
    }))
    .sort((a, b) => (a.seenAt < b.seenAt ? 1 : -1))
}
