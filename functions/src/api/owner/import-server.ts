import * as z from 'zod'
import type { ServerConfig } from '@vitrine/core/policy/policy'
import { fail, ok, type Result } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import { changePolicy } from '../../policies/change.ts'
import { server, servers, slug, SOURCES } from '../../policies/schema.ts'
import { readServerJson, type ImportedServer } from '../../policies/server-json.ts'
import type { Operation } from './operation.ts'

const source = z.discriminatedUnion('source', [
  z.strictObject(SOURCES.static),
  z.strictObject(SOURCES.org_secret),
  z.strictObject(SOURCES.team_secret),
  z.strictObject(SOURCES.user_secret),
  z.strictObject(SOURCES.oauth),
])

const schema = z.strictObject({
  policyId: id.optional(),
  serverJson: z.unknown(),
  slug: slug.optional(),
  args: z.array(z.string()).optional(),
  sources: z.record(z.string(), source).default({}),
})

/**
 * `{policyId?, serverJson, slug?, args?, sources?}` → `{server}`, and `{server, policyId, version}` when it was added to a policy: what
 * a registry's server.json comes to as a server of a policy. `sources` says per variable where its value comes from; a secret
 * without one comes from the organization's secret of the variable's name. Errors: invalid_argument with the path of what
 * cannot be taken; those of updatePolicy.
 */
export const importServer: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const { policyId, serverJson, slug: name, args, sources } = request.value
  const imported = readServerJson(serverJson, args)
  if (!imported.ok) return imported
  const config = configOf(imported.value, name, sources)
  if (!config.ok) return config
  if (policyId === undefined) return ok({ server: config.value })

  const changed = await changePolicy(parts, by, policyId, {
    change: 'server.import',
    meta: { server: config.value.slug },
    edit: ({ policy: { name: policyName, teams, builtins, servers: before } }) => {
      const after = parse(servers, [...before, config.value])
      return after.ok ? ok({ name: policyName, teams, builtins, servers: after.value }) : after
    },
  })
  return changed.ok ? ok({ server: config.value, ...changed.value }) : changed
}

type Sources = z.infer<typeof schema>['sources']

function configOf(imported: ImportedServer, name: string | undefined, sources: Sources): Result<ServerConfig> {
  const added = Object.entries(sources).filter(([variable]) => !imported.env.some((item) => item.name === variable))
  const env: unknown[] = []
  for (const { name: variable, isSecret, value } of imported.env) {
    const chosen = Object.hasOwn(sources, variable) ? sources[variable] : undefined
    if (chosen?.source === 'static' && isSecret) {
      return fail('invalid_argument', `sources.${variable}: A secret is named, not written down.`, {
        field: `sources.${variable}`,
      })
    }
    if (chosen === undefined && !isSecret && value === null) {
      return fail(
        'invalid_argument',
        `sources.${variable}: The variable has no default; say where its value comes from.`,
        { field: `sources.${variable}` },
      )
    }
    env.push({
      name: variable,
      ...(chosen ?? (isSecret ? { source: 'org_secret', secret: variable } : { source: 'static', value })),
    })
  }
  // Optional variables without a default are not among those above; the caller may give them a value all the same.
  env.push(...added.map(([variable, chosen]) => ({ name: variable, ...chosen })))
  const config = parse(server, {
    slug: name ?? slugOf(imported.name),
    package: imported.package,
    version: imported.version,
    args: imported.args,
    env,
  })
  return config.ok ? ok(config.value) : config
}

/** `io.github.acme/server-weather` → `server-weather`. */
function slugOf(name: string): string {
  const own = name.slice(name.lastIndexOf('/') + 1).toLowerCase()
  return own
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replaceAll(/_{2,}/g, '_')
    .replace(/^[_-]+/, '')
    .slice(0, 63)
}
