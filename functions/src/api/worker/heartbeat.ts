import type { Request } from '@vitrine/core/api/contract'
import type { WorkerOperation } from './operation.ts'
import type { Draft } from '@vitrine/core/log/entry'
import { LIVENESS_WRITE_MS } from '@vitrine/core/limits'
import { type ServerEvent, type ServerStatus } from '@vitrine/core/policy/worker-protocol'
import { ok } from '@vitrine/core/result'
import { answered } from '../../store/answered.ts'
import type { Parts } from '../../parts.ts'
import { policyPaths, type WorkerState } from '../../store/policy-documents.ts'
import { logs } from '../../store/documents.ts'
import { connectorActor, type Connector } from '../../auth/connector.ts'
import { workerUrl } from './connect.ts'
import { currentPolicy, workerPolicy } from '../../policies/worker-policy.ts'

type Heartbeat = Request<'worker/heartbeat'>

/** `seenAt` is written only now and then, a change of the servers' state at once. Events are recorded or refused. */
export const heartbeat: WorkerOperation<'heartbeat'> = async (parts, by, request) => {
  const url = workerUrl(parts, request.url)
  if (!url.ok) return url
  const current = await currentPolicy(parts, by)
  if (!current.ok) return current
  const beat = { ...request, url: url.value }

  if (beat.events.length > 0) {
    const appended = await parts.append(logs.org(by.orgId), by.orgId, {
      drafts: beat.events.map((event) => eventDraft(by, beat.instanceId, event)),
    })
    if (!appended.ok) return appended
  }
  await writeState(parts, by, beat, current.value.workers.workers[beat.instanceId])
  return ok(
    beat.policyVersion === current.value.version ? {} : { policy: await workerPolicy(parts, by, current.value) },
  )
}

function eventDraft(by: Connector, instance: string, { slug, type, detail }: ServerEvent): Draft {
  const meta = { policy: by.policyId, instance, type, ...(detail !== undefined && { detail }) }
  return { action: 'connector.event', actor: connectorActor(by), target: slug, call: '', meta }
}

async function writeState(
  { db }: Pick<Parts, 'db'>,
  { orgId, policyId }: Connector,
  beat: Heartbeat,
  before: WorkerState | undefined,
): Promise<void> {
  const now = new Date()
  const state = { url: beat.url, policyVersion: beat.policyVersion, servers: statesOf(beat.servers) }
  const isFresh = before !== undefined && now.getTime() - before.seenAt.toMillis() < LIVENESS_WRITE_MS
  if (isFresh && isSame(state, before)) return
  await answered(
    db.doc(policyPaths.workers(orgId, policyId)).update({ [`workers.${beat.instanceId}`]: { ...state, seenAt: now } }),
  )
}

function statesOf(servers: readonly ServerStatus[]): WorkerState['servers'] {
  return Object.fromEntries(
    servers.map(({ slug, state, error }) => [slug, { state, ...(error !== undefined && { error }) }]),
  )
}

function isSame(state: Omit<WorkerState, 'seenAt'>, before: WorkerState): boolean {
  return (
    state.url === before.url &&
    state.policyVersion === before.policyVersion &&
    digest(state.servers) === digest(before.servers)
  )
}

/** Firestore does not keep the order of a map's fields. */
function digest(servers: WorkerState['servers']): string {
  return JSON.stringify(
    Object.entries(servers)
      .map(([slug, { state, error }]) => [slug, state, error ?? ''])
      .sort(([a], [b]) => (a! < b! ? -1 : 1)),
  )
}
