import * as z from 'zod'
import {
  INSTALL_BYTES_MAX,
  POLICY_SERVERS_MAX,
  SERVER_ARGS_MAX,
  SERVER_ARG_LENGTH_MAX,
  SERVER_COMMANDS_MAX,
  SERVER_ENV_MAX,
  SERVER_ENV_VALUE_LENGTH_MAX,
  SERVER_PATH_LENGTH_MAX,
  SERVER_PATH_MAX,
  SERVER_SCRIPTS_MAX,
} from '../limits.ts'
import { command, id, processText, secretName, toolName, unique } from '../shapes.ts'
import { ARGS_POLICIES } from '../tool.ts'
import { envNameProblem } from './env-names.ts'
import { packageProblem, versionProblem } from './package-problem.ts'
import { programFolderProblem } from './program-path.ts'
import { isPackageName } from './pin.ts'

/** The tool policies that owners write. Every object is strict: an unknown field is an error that names its path. */

export const BUILTINS = ['web_search', 'web_answers', 'web_fetch', 'code_executor'] as const
export type Builtin = (typeof BUILTINS)[number]
export type Builtins = Record<Builtin, boolean>

/** Refuses a text with the problem that it has. */
function without(problemOf: (text: string) => string | null) {
  return (text: string, context: z.core.$RefinementCtx<string>): void => {
    const message = problemOf(text)
    if (message !== null) context.addIssue({ code: 'custom', message })
  }
}

const BUILTIN_NAMES: readonly string[] = BUILTINS

export const slug = toolName.refine((text) => !BUILTIN_NAMES.includes(text), 'Is the name of a built-in tool.')
const packageName = z
  .string({
    error: ({ input }) =>
      input === undefined ? 'Name an npm package, or say node: true for a server of worker.yaml.' : undefined,
  })
  .superRefine(without(packageProblem))
/** Any package: those that bring programs have scripts too. */
const scriptedName = z.string().superRefine(without((text) => (isPackageName(text) ? null : packageProblem(text))))
export const versionSpec = z.string().superRefine(without(versionProblem))

export const envName = z.string().superRefine(without(envNameProblem))

const programFolder = z.string().max(SERVER_PATH_LENGTH_MAX).superRefine(without(programFolderProblem))

const SOURCES = {
  static: { source: z.literal('static'), value: processText(SERVER_ENV_VALUE_LENGTH_MAX) },
  org_secret: { source: z.literal('org_secret'), secret: secretName },
  team_secret: { source: z.literal('team_secret'), secret: secretName, team: id },
  user_secret: { source: z.literal('user_secret'), secret: secretName },
  oauth: { source: z.literal('oauth'), provider: secretName },
}

/** Where a variable's value comes from. `user_secret` and `oauth` belong to the user whom the call is made for. */
export const envSource = z.discriminatedUnion('source', [
  z.strictObject(SOURCES.static),
  z.strictObject(SOURCES.org_secret),
  z.strictObject(SOURCES.team_secret),
  z.strictObject(SOURCES.user_secret),
  z.strictObject(SOURCES.oauth),
])

const envVar = z
  .discriminatedUnion('source', [
    z.strictObject({ name: envName, ...SOURCES.static }),
    z.strictObject({ name: envName, ...SOURCES.org_secret }),
    z.strictObject({ name: envName, ...SOURCES.team_secret }),
    z.strictObject({ name: envName, ...SOURCES.user_secret }),
    z.strictObject({ name: envName, ...SOURCES.oauth }),
  ])
  .meta({ id: 'EnvVar' })
export type EnvVar = z.output<typeof envVar>

const healthCheck = z.strictObject({
  intervalSeconds: z.int().min(5).max(3600).default(60),
  timeoutSeconds: z.int().min(1).max(60).default(5),
  method: z.enum(['tools/list', 'ping']).default('tools/list'),
})
export type HealthCheck = z.output<typeof healthCheck>

/** Limits of each process. */
const limits = z.strictObject({
  memoryMb: z.int().min(64).max(8192).default(512),
  cpuMillicores: z.int().min(100).max(8000).default(1000),
})
export type ServerLimits = z.output<typeof limits>

const common = {
  slug: slug.describe('The name of the tool that agents see.'),
  env: unique(z.array(envVar).max(SERVER_ENV_MAX), ({ name }) => name, 'name').default([]),
  commands: unique(z.array(command).max(SERVER_COMMANDS_MAX), (name) => name)
    .nullable()
    .default(null)
    .describe('Commands that agents may use; null for all that the server offers.'),
  enabled: z.boolean().default(true),
  argsPolicy: z
    .enum(ARGS_POLICIES)
    .optional()
    .describe(
      'What of an input schema is not understood is not checked with `lenient`, the default, on record; `strict` refuses the call.',
    ),
}

const packageServer = z.strictObject({
  ...common,
  package: packageName.describe('npm package.'),
  version: versionSpec
    .default('latest')
    .describe('An exact version, a range or a dist-tag; it is resolved once and pinned.'),
  bin: z
    .string()
    .regex(/^[\w.@/-]{1,214}$/, 'Must be the name of an executable of the package.')
    .optional()
    .describe('The executable of the package to start; by default its only one, or the one of its own name.'),
  scripts: unique(z.array(scriptedName).max(SERVER_SCRIPTS_MAX), (name) => name)
    .optional()
    .describe(
      'Packages whose install scripts run, of this one and its dependencies; none by default. They run as the server does, without its environment. A change removes the pin.',
    ),
  installBytesMax: z
    .int()
    .min(1024 * 1024)
    .max(INSTALL_BYTES_MAX)
    .optional()
    .describe('Bytes that the package may take with its dependencies; 1 GiB by default. A worker may allow less.'),
  args: z.array(processText(SERVER_ARG_LENGTH_MAX)).max(SERVER_ARGS_MAX).default([]),
  path: unique(z.array(programFolder).max(SERVER_PATH_MAX), (folder) => folder)
    .optional()
    .describe(
      "Folders in which it finds programs by name, after the worker's own node; [] for node alone. By default those of the worker's image.",
    ),
  healthCheck: healthCheck.prefault({}),
  limits: limits.prefault({}),
  node: z.undefined().optional(),
})

const ofPackages = z.undefined('A server of the node has none: what is run for it is in worker.yaml.').optional()

const nodeServer = z.strictObject({
  ...common,
  node: z
    .literal(true)
    .describe('The worker brings the server: what is run is in its worker.yaml, under the same name.'),
  healthCheck: healthCheck.nullable().default(null).describe('null for what worker.yaml says.'),
  limits: limits.nullable().default(null).describe('null for what worker.yaml says.'),
  package: ofPackages,
  version: ofPackages,
  bin: ofPackages,
  scripts: ofPackages,
  installBytesMax: ofPackages,
  args: ofPackages,
  path: ofPackages,
})

/** An MCP server of a tool policy, from npm or from the worker's node. The worker talks to servers over stdio. */
export const server = z
  .discriminatedUnion('node', [packageServer, nodeServer], {
    error: ({ code }) => (code === 'invalid_union' ? 'Must be true, or left out.' : undefined),
  })
  .meta({ id: 'Server' })
export const servers = unique(z.array(server).max(POLICY_SERVERS_MAX), ({ slug: name }) => name, 'slug')
export const builtins = z.partialRecord(z.enum(BUILTINS), z.boolean())

export type PackageServerConfig = z.output<typeof packageServer>
export type NodeServerConfig = z.output<typeof nodeServer>
export type ServerConfig = z.output<typeof server>

/** Whether the worker's worker.yaml must define this server. */
export function isNodeServer<T extends { slug: string }>(config: T): config is Extract<T, { node: true }> {
  return (config as { node?: unknown }).node === true
}

/** Whether the policy lets agents use this command. The server may not have a command of that name. */
export function isCommandEnabled(
  { enabled, commands }: Pick<ServerConfig, 'enabled' | 'commands'>,
  name: string,
): boolean {
  return enabled && (commands === null || commands.includes(name))
}
