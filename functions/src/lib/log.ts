import { AsyncLocalStorage } from 'node:async_hooks'
import { channel } from 'node:diagnostics_channel'
import type { IncomingHttpHeaders } from 'node:http'
import { ERRORS, type ErrorCode } from '@vitrine/core/errors'
import type { Result } from '@vitrine/core/result'

/**
 * Makes and writes all log lines: one for each request, refusal and failure, as JSON that Cloud Logging reads
 * (https://cloud.google.com/logging/docs/structured-logging). Lines go through the diagnostics channel `vitrine:log`,
 * so that only the composition root decides whether and where they are written. Never log a credential, an argument, a
 * result, a query, a header, or an unconfirmed name that the caller wrote: docs/operating.md says what lines hold.
 */

/** Facts about the request under way; each field is set once it is verified. */
export interface RequestRecord {
  function: string
  operation?: string
  principal?: { kind: 'agent' | 'user' | 'worker'; id: string }
  agentId?: string
  /** Set when the tool exists. */
  tool?: string
  /** Time until its entries were durable. */
  appendMs?: number
  traceId?: string
}

export type LogLine = { severity: 'INFO' | 'NOTICE' | 'WARNING' | 'ERROR'; event: string; message: string } & Record<
  string,
  unknown
>

export const LOG_LEVELS = ['off', 'errors', 'info'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const lines = channel('vitrine:log')
const requests = new AsyncLocalStorage<RequestRecord>()

/** Logs a failure that alerts match on. */
export function logError(message: string): void {
  publish({ severity: 'ERROR', event: 'failure', message })
}

/** Logs the refusal of a known agent's call; the reason is for the agent's owner. */
export function logDenial(reason: string, code: ErrorCode): void {
  publish({ severity: 'NOTICE', event: 'denial', message: `Denied: ${reason}`, reason, code })
}

/** Logs a request that the egress guard blocked. */
export function logEgressRefusal(refusal: { host?: string; port: number; address?: string; reason: string }): void {
  publish({ severity: 'WARNING', event: 'egress_refusal', message: `Egress refused: ${refusal.reason}`, ...refusal })
}

/** Adds fields to the lines of the request under way. */
export function describeRequest(fields: Omit<RequestRecord, 'function'>): void {
  const record = requests.getStore()
  if (record) Object.assign(record, fields)
}

/** Runs the work of one request and writes its line. */
export function logRequest(
  name: string,
  headers: IncomingHttpHeaders,
  work: () => Promise<Result<unknown>>,
): Promise<void> {
  const traceId = traceIdOf(headers)
  const record: RequestRecord = { function: name, ...(traceId !== undefined && { traceId }) }
  const startedMs = performance.now()
  return requests.run(record, async () => {
    let result: Result<unknown> = { ok: false, error: { code: 'internal' } }
    try {
      result = await work()
    } finally {
      const code = result.ok ? 'ok' : result.error.code
      const seq = seqOf(result)
      publish({
        severity: result.ok ? 'INFO' : severityOf(result.error.code),
        event: 'request',
        message: `${[name, record.operation].filter(Boolean).join('/')}: ${code}`,
        code,
        durationMs: Math.round(performance.now() - startedMs),
        ...(record.appendMs !== undefined && { appendMs: record.appendMs }),
        ...(seq !== undefined && { seq }),
      })
    }
  })
}

/** Wraps a function so that its time counts as the request's `appendMs`. */
export function countingAppends<A extends unknown[], R>(
  append: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  return async (...args) => {
    const record = requests.getStore()
    const startedMs = performance.now()
    try {
      return await append(...args)
    } finally {
      if (record) record.appendMs = Math.round((record.appendMs ?? 0) + performance.now() - startedMs)
    }
  }
}

/** Starts writing lines, those of one event-loop turn together; `flush` writes the lines of this turn at once. */
export function startLog({
  level,
  project,
  write,
}: {
  level: LogLevel
  project: string
  write: (text: string) => void
}): { flush(): void; stop(): void } {
  const waiting: string[] = []
  function flush(): void {
    if (waiting.length > 0) write(waiting.splice(0).join('\n'))
  }
  function take(message: unknown): void {
    const {
      severity,
      event,
      message: text,
      traceId,
      function: name,
      ...fields
    } = message as LogLine & Partial<RequestRecord>
    if (level === 'errors' && severity !== 'ERROR') return
    if (waiting.length === 0) setImmediate(flush)
    const line = {
      severity,
      message: text,
      ...fields,
      'logging.googleapis.com/labels': { event, ...(name !== undefined && { function: name }) },
      ...(traceId !== undefined && { 'logging.googleapis.com/trace': `projects/${project}/traces/${traceId}` }),
    }
    waiting.push(JSON.stringify(line))
  }
  if (level !== 'off') lines.subscribe(take)
  return { flush, stop: () => void lines.unsubscribe(take) }
}

function publish(line: LogLine): void {
  if (!lines.hasSubscribers) return
  const { appendMs: _, ...known }: Partial<RequestRecord> = requests.getStore() ?? {}
  lines.publish({ ...known, ...line })
}

/** `internal` is Vitrine's own mistake; the other 5xx codes are an outage of something else. */
function severityOf(code: ErrorCode): LogLine['severity'] {
  if (code === 'internal') return 'ERROR'
  return ERRORS[code].http >= 500 ? 'WARNING' : 'INFO'
}

/** The number of the request's own entry on the agent's chain. */
function seqOf(result: Result<unknown>): number | undefined {
  const { receipt } = ((result.ok ? result.value : result.error.details) ?? {}) as { receipt?: { seq?: unknown } }
  return typeof receipt?.seq === 'number' ? receipt.seq : undefined
}

/** W3C Trace Context (https://www.w3.org/TR/trace-context), or Google Cloud's older header. */
const TRACEPARENT = /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/
const CLOUD_TRACE = /^([0-9a-f]{32})(?:[/;]|$)/

function traceIdOf({ traceparent, 'x-cloud-trace-context': cloudTrace }: IncomingHttpHeaders): string | undefined {
  return (TRACEPARENT.exec(String(traceparent)) ?? CLOUD_TRACE.exec(String(cloudTrace)))?.[1]
}
