import * as z from 'zod'
import type { Draft } from '@vitrine/core/log/entry'
import {
  LIVENESS_WRITE_MS,
  POLICY_SERVERS_MAX,
  SERVER_ERROR_LENGTH_MAX,
  SERVER_EVENTS_MAX,
  URL_LENGTH_MAX,
} from '@vitrine/core/limits'
import {
  SERVER_EVENTS,
  SERVER_STATES,
  type HeartbeatAnswer,
  type ServerEvent,
  type ServerStatus,
} from '@vitrine/core/policy/policy'
import { ok, type Result } from '@vitrine/core/result'
import { answered } from '../../store/answered.ts'
import { id, parse, toolName } from '../../http/parse.ts'
import type { Parts } from '../../parts.ts'
import { policyPaths, type WorkerState } from '../../store/policy-documents.ts'
import { logs } from '../../store/documents.ts'
import { connectorActor, type Connector } from '../../auth/connector.ts'
import { workerUrl } from './connect.ts'
import { currentPolicy, workerPolicy } from '../../policies/worker-policy.ts'

const told = z
  .string()
  .max(SERVER_ERROR_LENGTH_MAX)
  .refine((text) => text.isWellFormed(), 'Holds a lone surrogate.')

const schema = z.strictObject({
  instanceId: id,
  url: z.string().max(URL_LENGTH_MAX, 'invalid_url'),
  policyVersion: z.number().int().min(0),
  // Twice as many as a policy has: while one follows another, servers of both are there.
  servers: z
    .array(z.strictObject({ slug: toolName, state: z.enum(SERVER_STATES), error: told.optional() }))
    .max(2 * POLICY_SERVERS_MAX),
  events: z
    .array(z.strictObject({ slug: toolName, type: z.enum(SERVER_EVENTS), detail: told.optional() }))
    .max(SERVER_EVENTS_MAX)
    .default([]),
})

type Heartbeat = z.infer<typeof schema>

/**
 * HeartbeatRequest → HeartbeatAnswer. That the worker lives is written down now and then, what its servers do at once.
 * Errors: invalid_url, blocked_url, policy_not_found, ledger_unavailable (events are on record or refused).
 */
export async function heartbeat(parts: Parts, by: Connector, data: unknown): Promise<Result<HeartbeatAnswer>> {
  const request = parse(schema, data)
  if (!request.ok) return request
  const url = workerUrl(parts, request.value.url)
  if (!url.ok) return url
  const current = await currentPolicy(parts, by)
  if (!current.ok) return current
  const beat = { ...request.value, url: url.value }

  if (beat.events.length > 0) {
    const appended = await parts.append(logs.org(by.orgId), by.orgId, {
      drafts: beat.events.map((event) => eventDraft(by, beat.instanceId, event as ServerEvent)),
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
  const state = { url: beat.url, policyVersion: beat.policyVersion, servers: statesOf(beat.servers as ServerStatus[]) }
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

/** Firestore gives the fields of a map back in an order of its own. */
function digest(servers: WorkerState['servers']): string {
  return JSON.stringify(
    Object.entries(servers)
      .map(([slug, { state, error }]) => [slug, state, error ?? ''])
      .sort(([a], [b]) => (a! < b! ? -1 : 1)),
  )
}
