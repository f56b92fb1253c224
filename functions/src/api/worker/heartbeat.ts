import type { Request } from '@vitrine/core/api/contract'
import type { WorkerOperation } from './operation.ts'
import type { Draft } from '@vitrine/core/log/entry'
import { LIVENESS_WRITE_MS } from '@vitrine/core/limits'
import { type ServerEvent, type ServerStatus } from '@vitrine/core/policy/worker-protocol'
import { ok } from '@vitrine/core/result'
import { answered } from '../../store/answered.ts'
import { policyPaths, type StoredStatus, type WorkersDoc, type WorkerState } from '../../store/policy-documents.ts'
import { logs } from '../../store/documents.ts'
import type { Path } from '../../store/path.ts'
import { connectorActor, type Connector } from '../../auth/connector.ts'
import { workerUrl } from './connect.ts'
import { currentPolicy, workerPolicy } from '../../policies/worker-policy.ts'

type Heartbeat = Request<'worker/heartbeat'>

/**
 * `seenAt` is written only now and then, a change of the servers' state at once. Events are recorded or refused, in the commit that
 * writes the state.
 */
export const heartbeat: WorkerOperation<'heartbeat'> = async (parts, by, request) => {
  const url = workerUrl(parts, request.url)
  if (!url.ok) return url
  const current = await currentPolicy(parts, by)
  if (!current.ok) return current
  const beat = { ...request, url: url.value }

  const before = current.value.workers.workers[beat.instanceId]
  const servers = statesOf(beat.servers, before?.servers ?? {})
  const write = stateWrite(by, { ...beat, servers }, before)
  const events = [...beat.events, ...turnsOf(before?.servers ?? {}, servers, beat.events)]
  if (events.length > 0) {
    const appended = await parts.append(logs.org(by.orgId), by.orgId, {
      drafts: events.map((event) => eventDraft(by, beat.instanceId, event)),
      writes: () => (write ? [write] : []),
    })
    if (!appended.ok) return appended
  } else if (write) {
    await answered(parts.db.doc(write.path).update(write.data))
  }
  return ok(
    beat.policyVersion === current.value.version ? {} : { policy: await workerPolicy(parts, by, current.value) },
  )
}

/** What an entry says of a server: what its worker told, or what follows from its states. */
type Told = Omit<ServerEvent, 'type'> & { type: ServerEvent['type'] | 'server_failed' }

function eventDraft(by: Connector, instance: string, { slug, type, detail }: Told): Draft {
  const meta = { policy: by.policyId, instance, type, ...(detail !== undefined && { detail }) }
  return { action: 'connector.event', actor: connectorActor(by), target: slug, call: '', meta }
}

/** Null while the last one says the same and is not old. */
function stateWrite(
  { orgId, policyId }: Connector,
  { instanceId, url, policyVersion, servers }: Pick<Heartbeat, 'instanceId'> & Omit<WorkerState, 'seenAt'>,
  before: WorkerState | undefined,
): { op: 'update'; path: Path<WorkersDoc>; data: Record<string, unknown> } | null {
  const seenAt = new Date()
  const state = { url, policyVersion, servers }
  const isFresh = before !== undefined && seenAt.getTime() - before.seenAt.toMillis() < LIVENESS_WRITE_MS
  return isFresh && isSame(state, before)
    ? null
    : {
        op: 'update',
        path: policyPaths.workers(orgId, policyId),
        data: { [`workers.${instanceId}`]: { ...state, seenAt } },
      }
}

function statesOf(statuses: readonly ServerStatus[], before: WorkerState['servers']): WorkerState['servers'] {
  return Object.fromEntries(
    statuses.map(({ slug, state, error, code }): [string, StoredStatus] => {
      const failing = state === 'failed' || (before[slug]?.failing === true && state !== 'ready')
      return [
        slug,
        {
          state,
          ...(error !== undefined && { error }),
          ...(code !== undefined && { code }),
          ...(failing && { failing }),
        },
      ]
    }),
  )
}

/** Servers that began to fail, or are there again: once each, however often the worker tries to start them. */
function turnsOf(before: WorkerState['servers'], now: WorkerState['servers'], told: readonly ServerEvent[]): Told[] {
  const isTold = (slug: string) => told.some((event) => event.slug === slug && BACK.has(event.type))
  return Object.entries(now).flatMap(([slug, { failing = false, state, error }]): Told[] => {
    if (failing === (before[slug]?.failing ?? false)) return []
    if (failing) return [{ slug, type: 'server_failed', detail: error }]
    return state === 'ready' && !isTold(slug) ? [{ slug, type: 'recovered' }] : []
  })
}

/** The worker's own words for a server that is there again. */
const BACK: ReadonlySet<ServerEvent['type']> = new Set(['restarted', 'recovered'])

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
      .map(([slug, { state, error = '', code = '', failing = false }]) => [slug, state, error, code, failing])
      .sort(([a], [b]) => (a! < b! ? -1 : 1)),
  )
}
