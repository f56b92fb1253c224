import { parseArgs } from 'node:util'

/**
 * The metrics that Cloud Logging counts from the lines of the functions (functions/src/lib/log.ts): Cloud Functions have no
 * endpoint that a collector could scrape. `node scripts/log-metrics.ts vitrine_calls` prints one as `gcloud logging metrics create
 * --config-from-file` reads it; without a name, the names.
 */

export interface LogMetric {
  name: string
  description: string
  /** Labels of the lines that count. */
  where: Readonly<Record<string, string>>
  /** The field whose distribution is kept; without one, lines are counted. */
  value?: string
  unit?: string
  /** Label of the metric → field of the line. A line without the field counts with an empty label. */
  labels: Readonly<Record<string, string>>
}

const CALL = { event: 'request', function: 'invokeTool' }

export const LOG_METRICS: readonly LogMetric[] = [
  {
    name: 'vitrine_requests',
    description: 'Requests of owners and workers by operation and code.',
    where: { event: 'request' },
    labels: { operation: 'operation', code: 'code' },
  },
  {
    name: 'vitrine_calls',
    description: 'Calls of tools by tool and code.',
    where: CALL,
    labels: { tool: 'tool', code: 'code' },
  },
  {
    name: 'vitrine_call_latency',
    description: 'How long calls of tools take.',
    where: CALL,
    value: 'durationMs',
    unit: 'ms',
    labels: { tool: 'tool' },
  },
  {
    name: 'vitrine_append_latency',
    description: 'How long the entries of a call take to become durable.',
    where: CALL,
    value: 'appendMs',
    unit: 'ms',
    labels: {},
  },
  {
    name: 'vitrine_denials',
    description: 'Refused calls of known agents by reason.',
    where: { event: 'denial' },
    labels: { reason: 'reason' },
  },
  {
    name: 'vitrine_egress_refusals',
    description: 'Requests to tools that the egress guard kept from leaving, by reason.',
    where: { event: 'egress_refusal' },
    labels: { reason: 'reason' },
  },
]

/** https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.metrics */
export function toConfig({ name, description, where, value, unit, labels }: LogMetric): object {
  return {
    name,
    description,
    filter: [
      ...Object.entries(where).map(([label, text]) => `labels.${label}="${text}"`),
      ...(value === undefined ? [] : [`jsonPayload.${value}>=0`]),
    ].join(' AND '),
    metricDescriptor: {
      metricKind: 'DELTA',
      valueType: value === undefined ? 'INT64' : 'DISTRIBUTION',
      ...(unit !== undefined && { unit }),
      labels: Object.keys(labels).map((key) => ({ key, valueType: 'STRING' })),
    },
    ...(value !== undefined && { valueExtractor: `EXTRACT(jsonPayload.${value})` }),
    labelExtractors: Object.fromEntries(
      Object.entries(labels).map(([key, field]) => [key, `EXTRACT(jsonPayload.${field})`]),
    ),
  }
}

function main(): void {
  const [name] = parseArgs({ allowPositionals: true }).positionals
  if (name === undefined) return console.log(LOG_METRICS.map((metric) => metric.name).join('\n'))
  const metric = LOG_METRICS.find((one) => one.name === name)
  if (!metric) throw new Error(`There is no metric ${name}.`)
  console.log(JSON.stringify(toConfig(metric), null, 2))
}

if (import.meta.main) main()
