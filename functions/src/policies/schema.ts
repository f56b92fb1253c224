import * as z from 'zod'
import {
  SERVER_ARGS_MAX,
  SERVER_ARG_LENGTH_MAX,
  SERVER_COMMANDS_MAX,
  SERVER_ENV_MAX,
  SERVER_ENV_VALUE_LENGTH_MAX,
  POLICY_SERVERS_MAX,
  TEAMS_PER_ORG_MAX,
} from '@vitrine/core/limits'
import { isCommand } from '@vitrine/core/names'
import {
  BUILTINS,
  envNameProblem,
  isPackageName,
  isSecretName,
  isVersionSpec,
  type NodeServerConfig,
  type PackageServerConfig,
  type ServerConfig,
} from '@vitrine/core/policy/policy'
import { id, toolName } from '../http/parse.ts'

/** What owners write into a tool policy. Every object is strict: an unknown field is an error that names its path. */

const BUILTIN_NAMES: readonly string[] = BUILTINS

export const slug = toolName.refine((text) => !BUILTIN_NAMES.includes(text), 'Is the name of a built-in tool.')
const packageName = z
  .string({
    error: ({ input }) =>
      input === undefined ? 'Name an npm package, or say node: true for a server of worker.yaml.' : undefined,
  })
  .refine(isPackageName, 'Must be the name of an npm package.')
export const versionSpec = z.string().refine(isVersionSpec, 'Must be an exact version, a range or a dist-tag of npm.')
export const secretName = z
  .string()
  .refine(isSecretName, 'Must be 1 to 128 of A-Z, a-z, 0-9, "_" and "-", with a letter or digit first.')

/** What a process can be passed: the system ends a text at the first NUL. */
function text(lengthMax: number) {
  return z
    .string()
    .max(lengthMax)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'Must be text without NUL or lone surrogates.')
}

export const envName = z.string().superRefine((name, context) => {
  const problem = envNameProblem(name)
  if (problem !== null) context.addIssue({ code: 'custom', message: problem })
})

/** Where a value comes from, without the name of the variable. */
export const SOURCES = {
  static: { source: z.literal('static'), value: text(SERVER_ENV_VALUE_LENGTH_MAX) },
  org_secret: { source: z.literal('org_secret'), secret: secretName },
  team_secret: { source: z.literal('team_secret'), secret: secretName, team: id },
  user_secret: { source: z.literal('user_secret'), secret: secretName },
  oauth: { source: z.literal('oauth'), provider: secretName },
}

const envVar = z.discriminatedUnion('source', [
  z.strictObject({ name: envName, ...SOURCES.static }),
  z.strictObject({ name: envName, ...SOURCES.org_secret }),
  z.strictObject({ name: envName, ...SOURCES.team_secret }),
  z.strictObject({ name: envName, ...SOURCES.user_secret }),
  z.strictObject({ name: envName, ...SOURCES.oauth }),
])

export const healthCheck = z.strictObject({
  intervalSeconds: z.number().int().min(5).max(3600).default(60),
  timeoutSeconds: z.number().int().min(1).max(60).default(5),
  method: z.enum(['tools/list', 'ping']).default('tools/list'),
})

export const limits = z.strictObject({
  memoryMb: z.number().int().min(64).max(8192).default(512),
  cpuMillicores: z.number().int().min(100).max(8000).default(1000),
})

const command = z.string().refine(isCommand, 'Must be 1 to 128 of A-Z, a-z, 0-9, "_", "." and "-".')

const common = {
  slug,
  env: unique(z.array(envVar).max(SERVER_ENV_MAX), ({ name }) => name, 'name').default([]),
  commands: unique(z.array(command).max(SERVER_COMMANDS_MAX), (name) => name)
    .nullable()
    .default(null),
  enabled: z.boolean().default(true),
}

const packageServer = z
  .strictObject({
    ...common,
    package: packageName,
    version: versionSpec.default('latest'),
    args: z.array(text(SERVER_ARG_LENGTH_MAX)).max(SERVER_ARGS_MAX).default([]),
    healthCheck: healthCheck.prefault({}),
    limits: limits.prefault({}),
    node: z.never('Must be true, or left out.').optional(),
  })
  .transform(({ node: _node, ...server }): PackageServerConfig => server)

const ofPackages = z.never('A server of the node has none: what is run for it stands in worker.yaml.').optional()

const nodeServer = z
  .strictObject({
    ...common,
    node: z.literal(true),
    healthCheck: healthCheck.nullable().default(null),
    limits: limits.nullable().default(null),
    package: ofPackages,
    version: ofPackages,
    args: ofPackages,
  })
  .transform(({ package: _package, version: _version, args: _args, ...server }): NodeServerConfig => server)

/** A union would say of a server only that it is neither; `node` says which of the two it is meant to be. */
export const server = z.unknown().transform((value, context): ServerConfig => {
  const isOfNode = typeof value === 'object' && value !== null && 'node' in value && value.node === true
  const parsed = (isOfNode ? nodeServer : packageServer).safeParse(value)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: value } as z.core.$ZodRawIssue)
  return z.NEVER
})

export const servers = unique(z.array(server).max(POLICY_SERVERS_MAX), ({ slug }) => slug, 'slug')
export const builtins = z.partialRecord(z.enum(BUILTINS), z.boolean())
export const teams = unique(z.array(id).max(TEAMS_PER_ORG_MAX), (teamId) => teamId)

/** A list without repetitions; the issue stands at the second of two that are alike. */
function unique<T>(list: z.ZodArray<z.ZodType<T>>, keyOf: (item: T) => string, field?: string) {
  return list.superRefine((items, context) => {
    const seen = new Set<string>()
    for (const [index, item] of items.entries()) {
      if (seen.has(keyOf(item)))
        context.addIssue({
          code: 'custom',
          path: field === undefined ? [index] : [index, field],
          message: 'Is there twice.',
        })
      seen.add(keyOf(item))
    }
  })
}
