import type { Input } from '@vitrine/core/api/contract'
import { ERRORS } from '@vitrine/core/errors'
import { SERVER_ERROR_LENGTH_MAX, SERVER_EVENTS_MAX } from '@vitrine/core/limits'
import type { ServerEvent } from '@vitrine/core/policy/worker-protocol'
import type { Failure } from '@vitrine/core/result'
import { logWarning } from '../log.ts'
import type { ControlClient } from './client.ts'
import { isRevoked, textOf } from './failure.ts'

export type ToolsReport = Omit<Input<'worker/report'>, 'instanceId'>

/** What the control plane has yet to be told; bounded, for it may be away for long. */
export interface Outbox {
  event(event: ServerEvent): void
  /** A later report of the same server replaces an earlier one. */
  report(tools: ToolsReport): void
  /** The events so far, the newest SERVER_EVENTS_MAX of them. */
  takeEvents(): ServerEvent[]
  /** Events that could not be delivered, to be taken again. */
  putBack(events: readonly ServerEvent[]): void
  /** Sends reports one after the other. A refused one is dropped; the first that cannot be sent now stays, with those behind it. */
  sendReports(): Promise<Failure | null>
}

export function createOutbox(client: Pick<ControlClient, 'report'>, instanceId: string): Outbox {
  let events: ServerEvent[] = []
  const reports = new Map<string, ToolsReport>()

  function keep(all: ServerEvent[]): void {
    // The oldest go first: what a server is doing now is in its state.
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

/** No longer than the control plane takes: it would refuse the whole heartbeat. */
export function shortened(text: string): string {
  return text.slice(0, SERVER_ERROR_LENGTH_MAX).toWellFormed()
}
