import * as z from 'zod'
import { packageProblem } from '@vitrine/core/policy/package-problem'
import { isExactVersion } from '@vitrine/core/policy/pin'
import { fail, ok, type Result } from '@vitrine/core/result'

/**
 * Reads a `server.json` of the MCP registry, schema 2025-12-11 (https://github.com/modelcontextprotocol/registry,
 * docs/reference/server-json). The document is untrusted: unused fields are ignored, and values of secrets are never
 * taken from it.
 */

const SCHEMA = /\/2025-12-11\/server\.schema\.json$/
/**
 * npm's public registry. Other registries cannot be honoured: the worker's own setting decides where packages come
 * from.
 */
const PUBLIC_REGISTRY = /^https:\/\/registry\.npm[a-z]{2}\.org\/?$/
const STRING_MAX = 4096
const BY_NODE = 'For another program, name it in the worker.yaml of a worker, and in the policy say node: true.'

const text = z.string().max(STRING_MAX)
const input = {
  value: text.optional(),
  default: text.optional(),
  isRequired: z.boolean().default(false),
  isSecret: z.boolean().default(false),
}
const variables = z.record(z.string().max(128), z.looseObject(input)).default({})
const argument = z.looseObject({
  ...input,
  type: z.enum(['positional', 'named']),
  name: text.optional(),
  valueHint: text.optional(),
  variables,
})
const variable = z.looseObject({ ...input, name: text, variables })
const transport = z.looseObject({ type: text })

const schema = z.looseObject({
  $schema: text.optional(),
  name: text,
  version: text,
  packages: z
    .array(
      z.looseObject({
        registryType: text,
        registryBaseUrl: text.optional(),
        identifier: text,
        version: text.optional(),
        runtimeHint: text.optional(),
        transport,
        runtimeArguments: z.array(argument).max(64).default([]),
        packageArguments: z.array(argument).max(64).default([]),
        environmentVariables: z.array(variable).max(64).default([]),
      }),
    )
    .max(32)
    .default([]),
  remotes: z.array(z.looseObject({})).max(32).default([]),
})

type ServerJson = z.infer<typeof schema>
type Package = ServerJson['packages'][number]
type Input = Pick<z.infer<typeof variable>, 'value' | 'default' | 'isRequired' | 'isSecret' | 'variables'>

/** The parts of a server.json that a policy takes over. */
export interface ImportedServer {
  /** Reverse DNS, a slash and the server's own name. */
  name: string
  package: string
  version: string
  args: string[]
  env: ImportedVariable[]
}

/**
 * `value` is null for a secret, and for a required variable without a default. Optional variables without a value are
 * left out.
 */
export interface ImportedVariable {
  name: string
  isSecret: boolean
  value: string | null
}

/**
 * `args` replaces the package's own arguments. Errors: invalid_argument with the path of the part that cannot be
 * imported.
 */
export function readServerJson(json: unknown, args: string[] | undefined): Result<ImportedServer> {
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    return refuse(issue.path.join('.'), issue.message)
  }
  const { $schema, name, packages, remotes } = parsed.data
  if ($schema !== undefined && !SCHEMA.test($schema)) return refuse('$schema', 'Only schema 2025-12-11 is read.')
  const chosen = choosePackage(packages, remotes.length)
  if (!chosen.ok) return chosen
  const { pack, path } = chosen.value
  const runtime = checkRuntime(pack, path)
  if (!runtime.ok) return runtime
  const given = args === undefined ? argumentsOf(pack, path) : ok(args)
  if (!given.ok) return given
  const env = variablesOf(pack, path)
  if (!env.ok) return env
  return ok({ name, package: pack.identifier, version: pack.version!, args: given.value, env: env.value })
}

function choosePackage(packages: Package[], remotes: number): Result<{ pack: Package; path: string }> {
  if (packages.length === 0) {
    return refuse(
      'packages',
      remotes > 0 ? 'The server is remote only; register its URL as a tool of kind mcp.' : 'There is no package.',
    )
  }
  const index = packages.findIndex(
    ({ registryType, transport: { type } }) => registryType === 'npm' && type === 'stdio',
  )
  if (index < 0) return refuseFirst(packages[0]!)
  const pack = packages[index]!
  const path = `packages.${index}`
  if (pack.registryBaseUrl !== undefined && !PUBLIC_REGISTRY.test(pack.registryBaseUrl))
    return refuse(
      `${path}.registryBaseUrl`,
      "Packages come from npm's public registry, or from where the worker is told to look.",
    )
  const problem = packageProblem(pack.identifier)
  if (problem !== null) return refuse(`${path}.identifier`, problem)
  if (pack.version === undefined || !isExactVersion(pack.version))
    return refuse(`${path}.version`, `Must be an exact version, such as "1.2.3"; a range belongs in the policy itself.`)
  return ok({ pack, path })
}

function refuseFirst({ registryType, transport: { type } }: Package): Result<never> {
  if (registryType !== 'npm')
    return refuse(
      'packages.0.registryType',
      `${shown(registryType)} is not supported; packages come from npm. ${BY_NODE}`,
    )
  return refuse(
    'packages.0.transport.type',
    `${shown(type)} is not supported; servers from npm are spoken to over stdio.`,
  )
}

/**
 * Servers are started with node itself, so npx and its consent flag are fine. Anything else would not happen, so it is
 * refused.
 */
function checkRuntime({ runtimeHint, runtimeArguments }: Package, path: string): Result<null> {
  if (runtimeHint !== undefined && !['npx', 'node'].includes(runtimeHint)) {
    return refuse(
      `${path}.runtimeHint`,
      `${shown(runtimeHint)} is not supported; servers are started with node. ${BY_NODE}`,
    )
  }
  const index = runtimeArguments.findIndex(
    ({ name, value, default: fallback }) =>
      !['-y', '--yes'].includes(name ?? value ?? fallback ?? '') || (name !== undefined && value !== undefined),
  )
  return index < 0
    ? ok(null)
    : refuse(`${path}.runtimeArguments.${index}`, 'Options of a runtime or a shell are not taken over; only npx -y is.')
}

function argumentsOf({ packageArguments }: Package, path: string): Result<string[]> {
  const args: string[] = []
  for (const [index, item] of packageArguments.entries()) {
    const field = `${path}.packageArguments.${index}`
    if (item.isSecret)
      return refuse(field, 'Secrets go into environment variables: arguments are seen by every process.')
    const value = valueOf(item, field)
    if (!value.ok) return value
    const isFlag =
      item.type === 'named' && item.value === undefined && item.default === undefined && item.valueHint === undefined
    if (item.type === 'named' && item.name === undefined) return refuse(`${field}.name`, 'A named argument has a name.')
    if (value.value === null && item.isRequired && !isFlag)
      return refuse(field, `${shown(item.name ?? item.valueHint ?? 'The argument')} has no value; pass args.`)
    if (value.value === null && !(isFlag && item.isRequired)) continue
    args.push(...(item.type === 'named' ? [item.name!] : []), ...(value.value === null ? [] : [value.value]))
  }
  return ok(args)
}

function variablesOf({ environmentVariables }: Package, path: string): Result<ImportedVariable[]> {
  const found: ImportedVariable[] = []
  for (const [index, item] of environmentVariables.entries()) {
    const { name, isRequired } = item
    const isSecret = item.isSecret || Object.values(item.variables).some((inner) => inner.isSecret)
    const value = isSecret ? ok(null) : valueOf(item, `${path}.environmentVariables.${index}`)
    if (!value.ok) return value
    if (isSecret || isRequired || value.value !== null) found.push({ name, isSecret, value: value.value })
  }
  return ok(found)
}

/** The value with each `{name}` replaced by its variable's value; null if there is none. */
function valueOf(item: Input, path: string): Result<string | null> {
  const template = item.value ?? item.default
  if (template === undefined) return ok(null)
  let unset: string | undefined
  const value = template.replaceAll(/\{([^{}]+)\}/g, (whole, name: string) => {
    const inner = Object.hasOwn(item.variables, name) ? item.variables[name] : undefined
    if (inner === undefined) return whole
    const filled = inner.isSecret ? undefined : (inner.value ?? inner.default)
    if (filled === undefined) unset ??= name
    return filled ?? ''
  })
  if (unset === undefined) return ok(value)
  return item.isRequired ? refuse(path, `The variable ${shown(unset)} has no value.`) : ok(null)
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 60))
}

function refuse(path: string, message: string): Result<never> {
  const field = path === '' ? 'serverJson' : `serverJson.${path}`.slice(0, 200)
  return fail('invalid_argument', `${field}: ${message}`, { field })
}
