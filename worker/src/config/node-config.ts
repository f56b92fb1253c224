import * as z from 'zod'
import { envNameProblem } from '@vitrine/core/policy/env-names'
import { SERVER_PATH_MAX } from '@vitrine/core/limits'
import { programFolderProblem } from '@vitrine/core/policy/program-path'
import type { HealthCheck, ServerLimits } from '@vitrine/core/policy/server-config'
import { block, flag, list, noneTwice, serverName, text, whole } from '@vitrine/core/yaml/fields'
import { parseYaml, type Parsed } from '@vitrine/core/yaml/file'
import type { Problem } from '@vitrine/core/yaml/problems'
import { CAPABILITY } from './capabilities.ts'
import { parseCredential, type Credential } from './credential.ts'

/** Reads and checks worker.yaml. */

/** An MCP server that the node provides. The tool policy decides whether it runs. */
export interface NodeServer {
  name: string
  enabled: boolean
  /** Started directly, never through a shell. */
  executable: string
  args: string[]
  /** Folders in which it finds programs by name; those of the image if absent. */
  path?: string[] | undefined
  /** The commands that exist; all others are hidden from the control plane too (capabilities.ts). */
  capabilities: string[]
  credentials: Record<string, Credential>
  environment: Record<string, string>
  healthCheck: HealthCheck
  limits: ServerLimits
}

export interface NodeConfig {
  servers: NodeServer[]
  /** Values that are allowed but discouraged. */
  warnings: Problem[]
}

const SERVERS_MAX = 64

const variable = z.string().superRefine((name, context) => {
  const message = envNameProblem(name)
  if (message !== null) context.addIssue({ code: 'custom', message })
})

const folder = text.superRefine((value, context) => {
  const message = programFolderProblem(value)
  if (message !== null) context.addIssue({ code: 'custom', message })
})

const credential = text.transform((value, context): Credential => {
  const parsed = parseCredential(value)
  if (!('problem' in parsed)) return parsed
  context.addIssue({ code: 'custom', message: parsed.problem })
  return z.NEVER
})

function variables<T extends z.ZodType>(value: T): z.ZodRecord<typeof variable, T> {
  return z.record(variable, value, {
    error: (issue) => (issue.code === 'invalid_type' ? 'Must be a block of variables.' : undefined),
  })
}

const server = block({
  name: serverName,
  enabled: flag.default(true),
  executable: text.min(1, 'Must not be empty.'),
  args: list(text, 256).default([]),
  path: list(folder, SERVER_PATH_MAX).optional(),
  capabilities: list(
    z.string({ error: 'Must be text.' }).regex(CAPABILITY, 'Must be the name of a tool, or "prefix.*".'),
    1_024,
  ).min(1, 'At least one.'),
  credentials: variables(credential).default({}),
  environment: variables(text).default({}),
  health_check: block({
    interval_seconds: whole(1, 3_600).default(60),
    timeout_seconds: whole(1, 60).default(5),
    method: z.enum(['tools/list', 'ping'], { error: 'Must be tools/list or ping.' }).default('tools/list'),
  }).prefault({}),
  resource_limits: block({
    cpu_millicores: whole(10, 64_000).default(1_000),
    memory_mb: whole(16, 65_536).default(512),
  }).prefault({}),
}).superRefine(({ credentials, environment }, context) => {
  for (const name of Object.keys(credentials)) {
    if (Object.hasOwn(environment, name))
      context.addIssue({
        code: 'custom',
        path: ['environment', name],
        message: 'This variable is among the credentials too.',
      })
  }
})

const servers = list(server, SERVERS_MAX).superRefine((all, context) => {
  noneTwice(
    all.map(({ name }, i) => ({ key: name, path: [i, 'name'] })),
    'The name',
    context,
  )
  for (const [i, { capabilities, path = [] }] of all.entries()) {
    noneTwice(
      path.map((key, j) => ({ key, path: [i, 'path', j] })),
      'The folder',
      context,
    )
    noneTwice(
      capabilities.map((key, j) => ({ key, path: [i, 'capabilities', j] })),
      'The capability',
      context,
    )
  }
})

const file = block({ mcp_servers: servers.optional(), spec: block({ mcp_servers: servers }).optional() }).superRefine(
  ({ mcp_servers, spec }, context) => {
    if (mcp_servers === undefined && spec === undefined)
      context.addIssue({ code: 'custom', message: 'There is no mcp_servers, neither at the top nor under spec.' })
    if (mcp_servers !== undefined && spec !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['mcp_servers'],
        message: 'Stands at the top and under spec; one is enough.',
      })
  },
)

/** Reads worker.yaml and reports all problems at once. */
export function parseNodeConfig(yaml: string): Parsed<NodeConfig> {
  const parsed = parseYaml(yaml, file)
  if (!parsed.ok) return parsed
  const { mcp_servers, spec } = parsed.value
  const [all, path] = mcp_servers ? [mcp_servers, ['mcp_servers']] : [spec?.mcp_servers ?? [], ['spec', 'mcp_servers']]
  const literals = all.flatMap(({ credentials }, i) =>
    Object.entries(credentials).flatMap(([name, { from }]) =>
      from === 'literal' ? [[...path, i, 'credentials', name]] : [],
    ),
  )
  const warnings = literals.map((at) => ({
    ...parsed.locate(at),
    message: `${String(at.at(-1))} is written out; keep it elsewhere and name it by env: or secret:.`,
  }))
  return { ok: true, value: { servers: all.map(domainOf), warnings }, locate: parsed.locate }
}

function domainOf({ health_check, resource_limits, ...rest }: z.output<typeof server>): NodeServer {
  const { interval_seconds: intervalSeconds, timeout_seconds: timeoutSeconds, method } = health_check
  const { cpu_millicores: cpuMillicores, memory_mb: memoryMb } = resource_limits
  return { ...rest, healthCheck: { intervalSeconds, timeoutSeconds, method }, limits: { cpuMillicores, memoryMb } }
}
