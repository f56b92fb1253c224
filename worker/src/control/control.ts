import { setTimeout as sleep } from 'node:timers/promises'
import { ERRORS } from '@vitrine/core/errors'
import type { DispatchKey, ServerEvent, ServerStatus, WorkerPolicy } from '@vitrine/core/policy/worker-protocol'
import type { Failure } from '@vitrine/core/result'
import { logWarning } from '../log.ts'
import { backoffMs } from '../backoff.ts'
import type { ControlClient } from './client.ts'
import { isRevoked, textOf } from './failure.ts'
import { createOutbox, shortened, type ToolsReport } from './outbox.ts'

/** The worker's connection to the control plane: connecting, heartbeats, and disconnecting. */

export interface ControlOptions {
  client: ControlClient
  instanceId: string
  /** The address at which the control plane reaches this worker. */
  url: string
  /** The states of the policy's servers. */
  states(): ServerStatus[]
  /** Called with a new or changed policy, which applies from then on. */
  onPolicy(policy: WorkerPolicy): void
  onKeys(keys: readonly DispatchKey[]): Promise<void>
  /** Called when the control plane takes neither what a server lists nor the report of that. */
  onRefused(slug: string, reason: string): void
  /** Called once, when the key is no longer valid. The worker asks the control plane nothing after that. */
  onRevoked(reason: Failure): void
  /** Milliseconds before the n-th retry; for tests. */
  backoff?: (failures: number) => number
}

export interface Control {
  /**
   * Connects, with as many tries as it takes, and starts the heartbeats. Resolves when connected, revoked or stopped.
   */
  start(): Promise<void>
  /** The event is sent with the next heartbeat. */
  event(event: ServerEvent): void
  /** Sent before the next heartbeat, and again until the control plane accepts it. */
  report(tools: ToolsReport): void
  /** Disconnects, so that the control plane sends no more calls here. */
  stop(): Promise<void>
}

const FAREWELL_MS_MAX = 1_500

const controlBackoff = (failures: number): number => backoffMs(failures, 500, 30_000)

/** Keeps a worker registered with the control plane, which may be unavailable at any time, also at the start. */
export function createControl(options: ControlOptions): Control {
  const { client, instanceId, url, states, onPolicy, onKeys, onRefused, onRevoked, backoff = controlBackoff } = options
  const ended = new AbortController()
  const outbox = createOutbox(client, instanceId, onRefused)
  let policyVersion: number | null = null
  let heartbeatMs = 0
  let beating = Promise.resolve()

  function revoked(reason: Failure): void {
    if (ended.signal.aborted) return
    ended.abort()
    onRevoked(reason)
  }

  function take(policy: WorkerPolicy): void {
    if (ended.signal.aborted || policy.version === policyVersion) return
    policyVersion = policy.version
    onPolicy(policy)
  }

  async function connect(): Promise<void> {
    for (let failures = 0; !ended.signal.aborted; failures++) {
      const answer = await client.connect({ instanceId, url })
      if (answer.ok) {
        heartbeatMs = answer.value.heartbeatMs
        await onKeys(answer.value.keys)
        return take(answer.value.policy)
      }
      if (isRevoked(answer.error)) return revoked(answer.error)
      if (failures === 0) logWarning(`Not connected yet, trying again: ${textOf(answer.error)}`)
      await pause(backoff(failures))
    }
  }

  async function beat(): Promise<void> {
    for (let failures = 0; !ended.signal.aborted;) {
      await pause(failures === 0 ? heartbeatMs : Math.max(heartbeatMs, backoff(failures - 1)))
      if (ended.signal.aborted) return
      const failure = (await outbox.sendReports()) ?? (await heartbeat(policyVersion ?? 0))
      if (failure === null) failures = 0
      else if (isRevoked(failure)) revoked(failure)
      else if (failures++ === 0) logWarning(`A heartbeat failed: ${textOf(failure)}`)
    }
  }

  async function heartbeat(version: number): Promise<Failure | null> {
    const events = outbox.takeEvents()
    const servers = states().map(statusOf)
    const answer = await client.heartbeat({
      instanceId,
      url,
      policyVersion: version,
      servers,
      ...(events.length > 0 && { events }),
    })
    if (!answer.ok) {
      // An event that the control plane refuses for good would make every later heartbeat fail too.
      if (ERRORS[answer.error.code].retryable) outbox.putBack(events)
      return answer.error
    }
    if (answer.value.policy) take(answer.value.policy)
    return null
  }

  function pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: ended.signal }).catch(() => {})
  }

  return {
    async start() {
      await connect()
      beating = beat()
    },
    event: outbox.event,
    report: outbox.report,
    async stop() {
      const isRegistered = policyVersion !== null && !ended.signal.aborted
      ended.abort()
      // Disconnect after a pending heartbeat, which would register the worker again; but don't wait for one that hangs.
      await Promise.race([beating, sleep(FAREWELL_MS_MAX, undefined, { ref: false })])
      if (isRegistered) await client.disconnect({ instanceId })
    },
  }
}

/** A pool's state may have more fields than the control plane accepts. */
function statusOf({ slug, state, error, code }: ServerStatus): ServerStatus {
  return { slug, state, ...(error !== undefined && { error: shortened(error) }), ...(code !== undefined && { code }) }
}
