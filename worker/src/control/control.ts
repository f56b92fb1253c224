import { setTimeout as sleep } from 'node:timers/promises'
import { ERRORS, type ErrorCode } from '@vitrine/core/errors'
import { SERVER_ERROR_LENGTH_MAX, SERVER_EVENTS_MAX } from '@vitrine/core/limits'
import type { DispatchKey, ReportRequest, ServerEvent, ServerStatus, WorkerPolicy } from '@vitrine/core/policy'
import type { Failure } from '@vitrine/core/result'
import { logWarning } from '../log.ts'
import { backoffMs } from './backoff.ts'
import type { ControlClient } from './client.ts'

export interface ControlOptions {
  client: ControlClient
  instanceId: string
  /** Where the control plane reaches this worker. */
  url: string
  /** What the servers of the policy are doing. */
  states(): ServerStatus[]
  /** A policy that is new or has changed; what it says holds from here on. */
  onPolicy(policy: WorkerPolicy): void
  onKeys(keys: readonly DispatchKey[]): Promise<void>
  /** The key is not valid any more. Called once; nothing is asked of the control plane after it. */
  onRevoked(reason: Failure): void
  /** Milliseconds before the n-th retry; for tests. */
  backoff?: (failures: number) => number
}

export type ToolsReport = Omit<ReportRequest, 'instanceId'>

export interface Control {
  /** Connects, as often as it takes, and begins to send heartbeats. Resolves when connected, revoked or stopped. */
  start(): Promise<void>
  /** Goes out with the next heartbeat. */
  event(event: ServerEvent): void
  /** Sent ahead of the next heartbeat, and again until it is taken; a later report of the same server replaces it. */
  report(tools: ToolsReport): void
  /** Says farewell, so that no more calls are sent here. */
  stop(): Promise<void>
}

/** Failures that no retry mends: this key opens nothing any more. */
const REVOKED: ReadonlySet<ErrorCode> = new Set(['unauthenticated', 'malformed_key', 'invalid_key', 'policy_not_found'])

/** Keeps a worker registered with the control plane. The control plane may be away at any time, at the start too. */
export function createControl(options: ControlOptions): Control {
  const { client, instanceId, url, states, onPolicy, onKeys, onRevoked, backoff = backoffMs } = options
  const ended = new AbortController()
  const events: ServerEvent[] = []
  const reports = new Map<string, ToolsReport>()
  let policyVersion = -1
  let heartbeatMs = 0
  let beating = Promise.resolve()

  /** Whether it was the last thing to ask. */
  function revoked(error: Failure): boolean {
    if (!REVOKED.has(error.code) || ended.signal.aborted) return ended.signal.aborted
    ended.abort()
    onRevoked(error)
    return true
  }

  function take(policy: WorkerPolicy): void {
    if (policy.version === policyVersion) return
    policyVersion = policy.version
    onPolicy(policy)
  }

  async function connect(): Promise<void> {
    for (let failures = 0; !ended.signal.aborted; failures++) {
      const answer = await client.connect({ instanceId, url })
      if (ended.signal.aborted) return
      if (answer.ok) {
        heartbeatMs = answer.value.heartbeatMs
        await onKeys(answer.value.keys)
        return take(answer.value.policy)
      }
      if (revoked(answer.error)) return
      if (failures === 0) logWarning(`Not connected yet: ${textOf(answer.error)} Trying again.`)
      await pause(backoff(failures))
    }
  }

  async function beat(): Promise<void> {
    for (let failures = 0; !ended.signal.aborted;) {
      await pause(failures === 0 ? heartbeatMs : Math.max(heartbeatMs, backoff(failures - 1)))
      if (ended.signal.aborted) return
      const failure = (await sendReports()) ?? (await heartbeat())
      if (failure === null) failures = 0
      else if (revoked(failure)) return
      else if (failures++ === 0) logWarning(`A heartbeat failed: ${textOf(failure)}`)
    }
  }

  async function heartbeat(): Promise<Failure | null> {
    const sent = events.splice(0)
    const answer = await client.heartbeat({ instanceId, url, policyVersion, servers: states().map(statusOf), ...(sent.length > 0 && { events: sent }) })
    if (answer.ok) {
      if (answer.value.policy && !ended.signal.aborted) take(answer.value.policy)
      return null
    }
    // What is not retryable would be refused the next time too, and every heartbeat with it.
    if (ERRORS[answer.error.code].retryable) events.unshift(...sent)
    bound(events)
    return answer.error
  }

  /** One after the other; a report that is refused is dropped, and one that could not be sent waits for the next heartbeat. */
  async function sendReports(): Promise<Failure | null> {
    for (const [slug, report] of [...reports]) {
      const answer = await client.report({ instanceId, ...report })
      if (!answer.ok && (ERRORS[answer.error.code].retryable || REVOKED.has(answer.error.code))) return answer.error
      if (!answer.ok) logWarning(`The tools of ${slug} were refused: ${textOf(answer.error)}`)
      if (reports.get(slug) === report) reports.delete(slug)
    }
    return null
  }

  function pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: ended.signal }).catch(() => {})
  }

  return {
    async start() {
      await connect()
      if (!ended.signal.aborted) beating = beat()
    },
    event({ slug, type, detail }) {
      events.push({ slug, type, ...(detail !== undefined && { detail: short(detail) }) })
      bound(events)
    },
    report(tools) {
      reports.set(tools.slug, tools)
    },
    async stop() {
      const connected = policyVersion !== -1 && !ended.signal.aborted
      ended.abort()
      if (connected) await client.disconnect({ instanceId })
      await beating
    },
  }
}

/** No more than the control plane takes: it would refuse the whole heartbeat. */
function statusOf({ slug, state, error }: ServerStatus): ServerStatus {
  return { slug, state, ...(error !== undefined && { error: short(error) }) }
}

function short(text: string): string {
  return text.slice(0, SERVER_ERROR_LENGTH_MAX).toWellFormed()
}

/** The oldest events go first: what a server is doing now is in its state. */
function bound(events: ServerEvent[]): void {
  events.splice(0, events.length - SERVER_EVENTS_MAX)
}

function textOf({ code, message }: Failure): string {
  return `${message ?? ERRORS[code].message} (${code})`
}
