import * as z from 'zod'
import { block, list, noneTwice, serverName, text, whole } from './fields.ts'
import { parseYaml, type Parsed } from './file.ts'

/** What narrows the use of a tool. It is read and checked here; what it asks for is enforced where calls are decided. */
export interface ToolConstraints {
  allowedDomains?: string[]
  maxResultsPerQuery?: number
  maxCallsPerExecution?: number
  /** Command line → what may follow it; for tools that run commands. */
  subcommandAllowlist?: Record<string, string[]>
}

/** One entry of `tools`: every capability of a server, or a tool of it by name. */
export interface ManifestTool {
  server: string
  /** Absent: all that the server advertises. */
  name?: string
  constraints: ToolConstraints
}

const TOOLS_MAX = 256
const DOMAIN = /^(?:\*\.)?(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/

const reference = z
  .string({ error: 'Must be "mcp:" and the name of a server.' })
  .refine(
    (value) => value.startsWith('mcp:') && serverName.safeParse(value.slice('mcp:'.length)).success,
    'Must be "mcp:" and the name of a server.',
  )
  .transform((value) => value.slice('mcp:'.length))

const simple = reference.transform((server): ManifestTool => ({ server, constraints: {} }))

const constraints = block({
  allowed_domains: list(
    z
      .string({ error: 'Must be text.' })
      .regex(DOMAIN, 'Must be a domain in lower case, like docs.python.org or *.python.org.'),
    256,
  ).optional(),
  max_results_per_query: whole(1, 1_000).optional(),
  max_calls_per_execution: whole(1, 1_000_000).optional(),
  subcommand_allowlist: z
    .record(text, list(text, 256), { error: 'Must be a block of commands, each with a list.' })
    .optional(),
})

const detailed = block({
  name: z.string({ error: 'Must be text.' }).regex(/^[A-Za-z0-9_.-]{1,128}$/, 'Must be the name of a tool.'),
  server: reference,
  config: constraints.prefault({}),
})

/** A union would tell of an entry only that it is neither; what it looks like says which of the two it is meant to be. */
const entry = z.unknown().transform((value, context): ManifestTool => {
  const parsed = typeof value === 'string' ? simple.safeParse(value) : detailed.transform(domainOf).safeParse(value)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: value } as z.core.$ZodRawIssue)
  return z.NEVER
})

const tools = list(entry, TOOLS_MAX).superRefine((all, context) => {
  noneTwice(
    all.map(({ server, name }, i) => ({ key: `mcp:${server}${name === undefined ? '' : ` ${name}`}`, path: [i] })),
    'The tool',
    context,
  )
})

const file = block({ tools: tools.optional(), spec: block({ tools }).optional() }).superRefine(
  ({ tools: atTop, spec }, context) => {
    if (atTop === undefined && spec === undefined)
      context.addIssue({ code: 'custom', message: 'There is no tools, neither at the top nor under spec.' })
    if (atTop !== undefined && spec !== undefined)
      context.addIssue({ code: 'custom', path: ['tools'], message: 'Stands at the top and under spec; one is enough.' })
  },
)

/** Reads agent.yaml. All problems are told at once; `locate` takes paths within the list of tools. */
export function parseManifest(yaml: string): Parsed<ManifestTool[]> {
  const parsed = parseYaml(yaml, file)
  if (!parsed.ok) return parsed
  const { tools: atTop, spec } = parsed.value
  const [value, prefix] = atTop ? [atTop, ['tools']] : [spec?.tools ?? [], ['spec', 'tools']]
  return { ok: true, value, locate: (path) => parsed.locate([...prefix, ...path]) }
}

function domainOf({ name, server, config }: z.output<typeof detailed>): ManifestTool {
  return {
    server,
    name,
    constraints: {
      ...(config.allowed_domains && { allowedDomains: config.allowed_domains }),
      ...(config.max_results_per_query !== undefined && { maxResultsPerQuery: config.max_results_per_query }),
      ...(config.max_calls_per_execution !== undefined && { maxCallsPerExecution: config.max_calls_per_execution }),
      ...(config.subcommand_allowlist && { subcommandAllowlist: config.subcommand_allowlist }),
    },
  }
}
