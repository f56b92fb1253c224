import type { Input } from '@vitrine/core/api/contract'
import { ERRORS } from '@vitrine/core/errors'
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
   * Sends the reports one after the other. A refused one is dropped; if one cannot be sent now, it and the later ones
   * stay.
   */
  sendReports(): Promise<Failure | null>
}

export function createOutbox(client: Pick<ControlClient, 'report'>, instanceId: string): Outbox {
  let events: ServerEvent[] = []
  const reports = new Map<string, ToolsReport>()

  function keep(all: ServerEvent[]): void {
    // The oldest events are dropped first: a server's current state is reported anyway.
    events = all.slice(-SERVER_EVENTS_MAX)
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
        const answer = await client.report({ instanceId, ...report })
        if (!answer.ok) {
          if (ERRORS[answer.error.code].retryable || isRevoked(answer.error)) return answer.error
          logWarning(`The tools of ${slug} were refused: ${textOf(answer.error)}`)
        }
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
