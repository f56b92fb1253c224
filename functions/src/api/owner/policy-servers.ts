import { parseJson } from '@vitrine/core/json/parse'
import type { JsonObject } from '@vitrine/core/json/value'
import { type ServerConfig, isNodeServer } from '@vitrine/core/policy/server-config'
import { type Result, fail, ok } from '@vitrine/core/result'
import { parse } from '../../http/parse.ts'
import { changePolicy } from '../../policies/change.ts'
import { liveWorkers } from '../../policies/live-workers.ts'
import { MANAGERS, READERS, managedPolicy } from '../../policies/managed.ts'
import { server, servers } from '@vitrine/core/policy/server-config'
import type { Request } from '@vitrine/core/api/contract'
import { type ImportedServer, readServerJson } from '../../policies/server-json.ts'
import { logs } from '../../store/documents.ts'
import { pinnedOf } from '../../manifest/pinned.ts'
import { dropParts, partsThen } from '../../manifest/lists.ts'
import { describeUnchecked } from '../../manifest/unchecked.ts'
import { read } from '../../store/path.ts'
import { policyPaths } from '../../store/policy-documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { OwnerOperation } from './operation.ts'

/**
 * Turns a registry's server.json into a server of a policy, and adds it when a policy is named. `sources` says per
 * variable where its value comes from; a secret variable without one takes the organization's secret of the same name.
 * Errors name the path of what cannot be imported.
 */
export const importServer: OwnerOperation<'importServer'> = async (parts, by, request) => {
  const { policyId, serverJson, slug: name, args, sources, scripts } = request
  const imported = readServerJson(serverJson, args)
  if (!imported.ok) return imported
  const config = configOf(imported.value, name, sources, scripts)
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

type Sources = Request<'admin/importServer'>['sources']

function configOf(
  imported: ImportedServer,
  name: string | undefined,
  sources: Sources,
  scripts: string[] | undefined,
): Result<ServerConfig> {
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
  // Optional variables without a default are not listed above, but the caller may still give them a value.
  env.push(...added.map(([variable, chosen]) => ({ name: variable, ...chosen })))
  const config = parse(server, {
    slug: name ?? slugOf(imported.name),
    package: imported.package,
    version: imported.version,
    args: imported.args,
    env,
    ...(scripts && { scripts }),
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

/**
 * Removes a server's pin, so that workers resolve `version` and its dependencies again and pin the result.
 * invalid_argument for a server of the node, which has no version.
 */
export const moveServerPin: OwnerOperation<'moveServerPin'> = async (parts, by, request) => {
  const { policyId, slug: name, version } = request
  return changePolicy(parts, by, policyId, {
    change: 'server.move',
    meta: { server: name, spec: version },
    unpin: [name],
    edit: ({ policy: { name: policyName, teams, builtins, servers } }) => {
      const moved = servers.find((server) => server.slug === name)
      if (!moved) return fail('server_not_found')
      if (isNodeServer(moved))
        return fail('invalid_argument', 'slug: A server of the node has no version.', { field: 'slug' })
      return ok({
        name: policyName,
        teams,
        builtins,
        servers: servers.map((server) => (server === moved ? { ...moved, version } : server)),
      })
    },
  })
}

/**
 * The approved list of a server's tools and the list waiting for approval; null before a worker first started the
 * server.
 */
export const getServerManifest: OwnerOperation<'getServerManifest'> = async (parts, by, request) => {
  const { policyId, slug: name } = request
  const managed = await managedPolicy(parts, by, policyId, READERS)
  if (!managed.ok) return managed
  const { orgId, policy } = managed.value
  if (!policy.servers.some((server) => server.slug === name)) return fail('server_not_found')
  const at = policyPaths.server(orgId, policyId, name)
  const { data } = await read(parts.db, at)
  const doc = data && (await parts.lists.inlined(at, data))
  const parsed = (text: string | null | undefined) => (text ? (parseJson(text) as JsonObject) : null)
  return ok({
    slug: name,
    manifest: parsed(doc?.manifest),
    manifestHash: doc?.manifestHash ?? null,
    pending: parsed(doc?.manifestPending),
    pendingHash: doc?.manifestPendingHash ?? null,
    ...(await describeUnchecked(pinnedOf({ manifest: doc?.manifest ?? null }))),
  })
}

/** Approves the changed list that has this hash. */
export const approveServerManifest: OwnerOperation<'approveServerManifest'> = async (parts, by, request) => {
  const { policyId, slug: name, manifestHash } = request

  return retryConflicts(async () => {
    const managed = await managedPolicy(parts, by, policyId, MANAGERS)
    if (!managed.ok) return managed
    const { orgId, policy } = managed.value
    if (!policy.servers.some((server) => server.slug === name)) return fail('server_not_found')
    const path = policyPaths.server(orgId, policyId, name)
    const { data: doc, version } = await read(parts.db, path)
    if (!doc || doc.manifestPendingHash !== manifestHash) return fail('manifest_not_found')
    const before = await partsThen(parts.db, path, doc)
    const change = { manifest: doc.manifestPending, manifestHash, manifestPending: null, manifestPendingHash: null }
    const meta = { ...by.via, change: 'manifest.approve', server: name, from: doc.manifestHash, to: manifestHash }
    const appended = await parts.append(logs.org(orgId), orgId, {
      drafts: [{ action: 'policy.update', actor: by.actor, target: policyId, call: '', meta }],
      writes: () => [{ op: 'update', path, data: change, version }],
    })
    if (!appended.ok) return appended
    await dropParts(before, change)
    return ok({ policyId, slug: name, manifestHash })
  })
}

/**
 * What the server last wrote to stderr at each live worker, with credentials removed; `lines` is null if a worker did
 * not answer.
 */
export const getServerLog: OwnerOperation<'getServerLog'> = async (parts, by, request) => {
  const { policyId, slug: name } = request
  const managed = await managedPolicy(parts, by, policyId, MANAGERS)
  if (!managed.ok) return managed
  const { orgId, policy } = managed.value
  if (!policy.servers.some((server) => server.slug === name)) return fail('server_not_found')
  const { data: workers } = await read(parts.db, policyPaths.workers(orgId, policyId))
  const logsRead = liveWorkers(workers, name, Date.now()).map(async (worker) => ({
    instanceId: worker.instanceId,
    lines: await parts.readServerLog(worker, { policyId, slug: name, actor: by.actor }),
  }))
  return ok({ slug: name, workers: await Promise.all(logsRead) })
}
