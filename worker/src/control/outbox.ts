import type { Input } from '@vitrine/core/api/contract'
import { ERRORS, type ErrorCode } from '@vitrine/core/errors'
import { SERVER_ERROR_LENGTH_MAX, SERVER_EVENTS_MAX } from '@vitrine/core/limits'
import type { ServerEvent } from '@vitrine/core/policy/worker-protocol'
import type { Failure } from '@vitrine/core/result'
import { logWarning } from '../log.ts'
import type { ControlClient } from './client.ts'
import { isRevoked, textOf } from './failure.ts'

/** Events and reports on their way to the control plane. */

export type ToolsReport = Omit<Input<'worker/report'>, 'instanceId'>

/**
 * What the control plane still has to be told. It is bounded, because the control plane may be unavailable for long.
 */
export interface Outbox {
  event(event: ServerEvent): void
  /** A later report for the same server replaces an earlier one. */
  report(tools: ToolsReport): void
  /** Removes and returns the events so far, at most the newest SERVER_EVENTS_MAX. */
  takeEvents(): ServerEvent[]
  /** Returns events that could not be delivered, to be sent again. */
  putBack(events: readonly ServerEvent[]): void
  /**
   * Sends the reports one after the other. Where a list is refused, that is reported in its place; if one cannot be
   * sent now, it and the later ones stay.
   */
  sendReports(): Promise<Failure | null>
}

/** Refusals of a server that the policy no longer has. */
const OUTDATED: ReadonlySet<ErrorCode> = new Set(['server_not_found', 'policy_not_found'])

/** `onRefused` hears of a server that may not be called any more. */
export function createOutbox(
  client: Pick<ControlClient, 'report'>,
  instanceId: string,
  onRefused: (slug: string, reason: string) => void,
): Outbox {
  let events: ServerEvent[] = []
  const reports = new Map<string, ToolsReport>()

  function keep(all: ServerEvent[]): void {
    // The oldest events are dropped first: a server's current state is reported anyway.
    events = all.slice(-SERVER_EVENTS_MAX)
  }

  async function sent(report: ToolsReport): Promise<Failure | null> {
    const { slug } = report
    const answer = await client.report({ instanceId, ...report })
    if (answer.ok) return null
    const { code, message = ERRORS[code].message } = answer.error
    if (ERRORS[code].retryable || isRevoked(answer.error)) return answer.error
    logWarning(`The tools of ${slug} were refused: ${textOf(answer.error)}`)
    if (OUTDATED.has(code)) return null
    const reason = shortened(message)
    // Another package than the pinned one is no matter of its list.
    if (report.problem === undefined && code !== 'pin_mismatch') {
      const { tools: _refused, ...rest } = report
      return sent({ ...rest, problem: reason })
    }
    onRefused(slug, reason)
    return null
  }

  return {
    event: ({ slug, type, detail }) =>
      keep([...events, { slug, type, ...(detail !== undefined && { detail: shortened(detail) }) }]),
    report: (tools) => void reports.set(tools.slug, tools),
    takeEvents() {
      const taken = events
      events = []
      return taken
    },
    putBack: (undelivered) => keep([...undelivered, ...events]),
    async sendReports() {
      for (const [slug, report] of [...reports]) {
        const failure = await sent(report)
        if (failure !== null) return failure
        if (reports.get(slug) === report) reports.delete(slug)
      }
      return null
    },
  }
}

/** Cut to the length that the control plane accepts; with a longer text it would refuse the whole heartbeat. */
export function shortened(text: string): string {
  return text.slice(0, SERVER_ERROR_LENGTH_MAX).toWellFormed()
}
