import { WORKER_LIVE_MS } from '@vitrine/core/limits'
import { fail, type Failure } from '@vitrine/core/result'
import type { LiveWorker } from '../forward/worker/worker.ts'
import type { WorkersDoc, WorkerState } from '../store/policy-documents.ts'

/** What the workers of a policy say of one of its servers. */

/** All that were seen lately. */
export function liveWorkers(doc: WorkersDoc | undefined, slug: string, nowMs: number): LiveWorker[] {
  return alive(doc, nowMs).map(toLive(slug))
}

/** Those that may be called: the ones that have heard that the policy has this server. */
export function callableWorkers(doc: WorkersDoc | undefined, slug: string, nowMs: number): LiveWorker[] {
  return alive(doc, nowMs)
    .filter(([, worker]) => hasHeardOf(slug, worker))
    .map(toLive(slug))
}

/**
 * Why no worker runs the server, as its callers are told: all that may be called say that it failed to start. Undefined
 * when one runs it or may, and when there is none.
 */
export function failureOf(doc: WorkersDoc | undefined, slug: string, nowMs: number): Failure | undefined {
  const states = alive(doc, nowMs).flatMap(([, worker]) => (hasHeardOf(slug, worker) ? [worker.servers[slug]] : []))
  if (states.length === 0 || states.some((said) => said?.state !== 'failed')) return undefined
  return fail(states[0]?.code ?? 'server_failed').error
}

/** Before its first heartbeat a worker has said nothing, but it got the policy when it connected. */
function hasHeardOf(slug: string, { policyVersion, servers }: WorkerState): boolean {
  return policyVersion === 0 || servers[slug] !== undefined
}

function toLive(slug: string) {
  return ([instanceId, { url, servers }]: [string, WorkerState]): LiveWorker => ({
    instanceId,
    url,
    state: servers[slug]?.state,
  })
}

function alive(doc: WorkersDoc | undefined, nowMs: number): [instanceId: string, WorkerState][] {
  return Object.entries(doc?.workers ?? {}).filter(([, { seenAt }]) => nowMs - seenAt.toMillis() <= WORKER_LIVE_MS)
}
