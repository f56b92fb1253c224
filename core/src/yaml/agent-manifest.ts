import * as z from 'zod'
import { splitCallName } from '../names.ts'
import { isServerCommand } from '../names.ts'
import { block, list, noneTwice, serverName } from './fields.ts'
import { parseYaml, type Parsed } from './file.ts'

/** Reads agent.yaml, which names the tools that an agent may use. */

/** One entry of `tools`: a whole server, or one command of it. */
export interface ManifestTool {
  server: string
  /** The command's whole name, or the last part of a name with dots. Absent for the whole server. */
  name?: string
}

const TOOLS_MAX = 256

const reference = z
  .string({ error: 'Must be "mcp:" and the name of a server.' })
  .refine(
    (value) => value.startsWith('mcp:') && serverName.safeParse(value.slice('mcp:'.length)).success,
    'Must be "mcp:" and the name of a server.',
  )
  .transform((value) => value.slice('mcp:'.length))

const simple = reference.transform((server): ManifestTool => ({ server }))

/**
 * Vitrine does not enforce these. Applying the entry without the constraint would give the agent more than the file
 * says.
 */
const unenforced = z
  .never({ error: 'Vitrine does not enforce this constraint yet; an entry that asks for it cannot be applied.' })
  .optional()

const constraints = block({
  allowed_domains: unenforced,
  max_results_per_query: unenforced,
  max_calls_per_execution: unenforced,
  subcommand_allowlist: unenforced,
})

const detailed = block({
  name: z.string({ error: 'Must be text.' }).refine(isServerCommand, 'Must be the name of a command.'),
  server: reference,
  config: constraints.optional(),
})
  .refine(({ server, name }) => splitCallName(`${server}__${name}`).name === server, {
    path: ['server'],
    error: 'A command of a server whose name ends in "_" cannot be granted by itself: the name would be ambiguous.',
  })
  .transform(({ server, name }): ManifestTool => ({ server, name }))

/**
 * Not a union: its error would only say that an entry is neither. The entry's type decides which of the two is meant.
 */
const entry = z.unknown().transform((value, context): ManifestTool => {
  const parsed = typeof value === 'string' ? simple.safeParse(value) : detailed.safeParse(value)
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

/** Reads agent.yaml and reports all problems at once; `locate` takes paths within the list of tools. */
export function parseManifest(yaml: string): Parsed<ManifestTool[]> {
  const parsed = parseYaml(yaml, file)
  if (!parsed.ok) return parsed
  const { tools: atTop, spec } = parsed.value
  const [value, prefix] = atTop ? [atTop, ['tools']] : [spec?.tools ?? [], ['spec', 'tools']]
  return { ok: true, value, locate: (path) => parsed.locate([...prefix, ...path]) }
}
