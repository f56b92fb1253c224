import type { WorkerOperation } from './operation.ts'
import { FieldValue } from 'firebase-admin/firestore'
import { HEARTBEAT_MS, WORKERS_PER_POLICY_MAX, WORKER_LIVE_MS } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import { checkUrl } from '../../egress/registration.ts'
import type { Parts } from '../../parts.ts'
import { policyPaths, type WorkersDoc } from '../../store/policy-documents.ts'
import { logs } from '../../store/documents.ts'
import { connectorActor } from '../../auth/connector.ts'
import { dispatchKeys } from './keys.ts'
import { currentPolicy, workerPolicy } from '../../policies/worker-policy.ts'

/** A worker not seen for this long is removed when the next one connects. */
const FORGOTTEN_AFTER_MS = 10 * 60_000

export const connect: WorkerOperation<'connect'> = async (parts, by, request) => {
  const { instanceId } = request
  const url = workerUrl(parts, request.url)
  if (!url.ok) return url
  const current = await currentPolicy(parts, by)
  if (!current.ok) return current
  const now = new Date()
  const { workers } = current.value.workers
  const live = Object.entries(workers).filter(
    ([other, known]) =>
      other !== instanceId && known.url !== url.value && now.getTime() - known.seenAt.toMillis() <= WORKER_LIVE_MS,
  )
  if (live.length >= WORKERS_PER_POLICY_MAX)
    return fail('too_many_calls', `${WORKERS_PER_POLICY_MAX} workers serve this policy already.`)

  const appended = await parts.append(logs.org(by.orgId), by.orgId, {
    drafts: [
      {
        action: 'connector.connect',
        actor: connectorActor(by),
        target: by.policyId,
        call: '',
        meta: { instance: instanceId, url: url.value, version: current.value.version },
      },
    ],
    writes: (seq) => [
      {
        op: 'update',
        path: policyPaths.workers(by.orgId, by.policyId),
        data: {
          ...forgotten(workers, instanceId, url.value, now),
          [`workers.${instanceId}`]: { url: url.value, seenAt: now, policyVersion: 0, servers: {} },
          // Earlier failures may be due to this worker's absence, so its circuits start closed.
          connected: seq,
          breakers: {},
        },
      },
    ],
  })
  if (!appended.ok) return appended
  const [policy, keys] = await Promise.all([workerPolicy(parts, by, current.value), dispatchKeys(parts, now)])
  return ok({ policy, heartbeatMs: HEARTBEAT_MS, keys })
}

/** A worker's URL obeys the same rules as a tool's. Errors: invalid_url, blocked_url. */
export function workerUrl({ egress }: Pick<Parts, 'egress'>, text: string): Result<string> {
  const url = checkUrl(text, egress)
  if (!url.ok) return url
  if (new URL(url.value).search !== '')
    return fail('invalid_url', 'The URL of a worker has no query.', { field: 'url' })
  return ok(url.value.replace(/\/+$/, ''))
}

/**
 * Registrations that are old, and any other one at this address: calls no longer reach that worker. If it is alive, its
 * next heartbeat registers it again.
 */
function forgotten(
  workers: WorkersDoc['workers'],
  instanceId: string,
  url: string,
  now: Date,
): Record<string, FieldValue> {
  const gone = Object.entries(workers).filter(
    ([other, known]) =>
      other !== instanceId && (known.url === url || now.getTime() - known.seenAt.toMillis() > FORGOTTEN_AFTER_MS),
  )
  return Object.fromEntries(gone.map(([other]) => [`workers.${other}`, FieldValue.delete()]))
}
