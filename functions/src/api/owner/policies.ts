import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { POLICIES_PER_ORG_MAX } from '@vitrine/core/limits'
import type { Builtins } from '@vitrine/core/policy/server-config'
import { type Result, fail, ok } from '@vitrine/core/result'
import { randomBytes } from 'node:crypto'
import { type Principal, orgWithRole } from '../../auth/owner.ts'
import type { Parts } from '../../parts.ts'
import { changePolicy } from '../../policies/change.ts'
import { describePolicy, describeServer, describeWorkers } from '../../policies/described.ts'
import { MANAGERS, READERS, managedPolicy } from '../../policies/managed.ts'
import { routeWrites } from '../../policies/routes.ts'
import { NO_BUILTINS, type PolicySettings, checkSettings, settingsMeta, unpinned } from '../../policies/settings.ts'
import { logs } from '../../store/documents.ts'
import { newId } from '../../store/ids.ts'
import { collection, readAll } from '../../store/path.ts'
import { type ToolKeyDoc, policyPaths } from '../../store/policy-documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { OwnerOperation } from './operation.ts'
import { ensurePersonalOrg } from './organization.ts'

/** The connector key opens exactly the tools of this policy to its holder. */
export const createPolicy: OwnerOperation<'createPolicy'> = async (parts, by, request) => {
  const orgId = request.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, MANAGERS)
  if (!org.ok) return org
  const count = await collection(parts.db, policyPaths.policies(orgId)).count().get()
  if (count.data().count >= POLICIES_PER_ORG_MAX)
    return fail('invalid_argument', `An organization has at most ${POLICIES_PER_ORG_MAX} tool policies.`)
  const settings: PolicySettings = {
    name: request.name,
    teams: request.teams,
    builtins: { ...NO_BUILTINS, ...request.builtins },
    servers: request.servers,
  }
  return retryConflicts(() => create(parts, by, orgId, settings))
}

async function create(
  parts: Parts,
  by: Principal,
  orgId: string,
  settings: PolicySettings,
): Promise<Result<{ policyId: string; key: string }>> {
  const policyId = newId('pol')
  const key = formatKey('tools', policyId, randomBytes(32))
  const checked = await checkSettings(parts.db, orgId, settings)
  if (!checked.ok) return checked
  const routes = await routeWrites(parts.db, {
    orgId,
    policyId,
    teams: settings.teams,
    before: [],
    after: settings.servers.map(({ slug }) => slug),
  })
  if (!routes.ok) return routes

  const now = new Date()
  const keyDoc: ToolKeyDoc = { orgId, policyId, hash: hashSecret(key.split('.')[2]!), version: 1 }
  const common = { actor: by.actor, target: policyId, call: '' }
  const appended = await parts.append(logs.org(orgId), orgId, {
    drafts: [
      {
        action: 'policy.update',
        ...common,
        meta: { ...by.via, change: 'policy.create', version: 1, ...settingsMeta(settings) },
      },
      { action: 'key.create', ...common, meta: { ...by.via, keyVersion: 1 } },
    ],
    writes: () => [
      {
        op: 'create',
        path: policyPaths.policy(orgId, policyId),
        data: { orgId, ...settings, version: 1, revision: 1, createdAt: now, updatedAt: now },
      },
      { op: 'create', path: policyPaths.key(policyId), data: { ...keyDoc, createdAt: now } },
      { op: 'create', path: policyPaths.workers(orgId, policyId), data: { orgId, workers: {} } },
      ...routes.value,
    ],
  })
  return appended.ok ? ok({ policyId, key }) : appended
}

/** The policy, the pins and circuits of its servers, and the state of each worker that serves it. */
export const getPolicy: OwnerOperation<'getPolicy'> = async (parts, by, request) => {
  const { policyId } = request
  const managed = await managedPolicy(parts, by, policyId, READERS)
  if (!managed.ok) return managed
  const { orgId, policy } = managed.value
  const [{ data: workers }, ...servers] = await readAll(parts.db, [
    policyPaths.workers(orgId, policyId),
    ...policy.servers.map(({ slug }) => policyPaths.server(orgId, policyId, slug)),
  ])
  const nowMs = Date.now()
  return ok({
    policy: describePolicy(policyId, policy),
    servers: policy.servers.map((server, i) =>
      describeServer(server, servers[i]?.data, workers, policy.revision, nowMs),
    ),
    workers: describeWorkers(workers, nowMs),
  })
}

export const listPolicies: OwnerOperation<'listPolicies'> = async (parts, by, request) => {
  const orgId = request.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, READERS)
  if (!org.ok) return org
  const found = await collection(parts.db, policyPaths.policies(orgId)).get()
  const policies = found.docs.map((doc) => describePolicy(doc.id, doc.data()))
  return ok({
    policies: policies.sort((a, b) => a.name.localeCompare(b.name, 'en') || (a.policyId < b.policyId ? -1 : 1)),
  })
}

/**
 * Fields left out keep their value; `builtins` may name some, `servers` replaces all. With `version` the change applies
 * only to that version. A server whose package or version changes loses its pin.
 */
export const updatePolicy: OwnerOperation<'updatePolicy'> = async (parts, by, request) => {
  const { policyId, version, name, teams: newTeams, builtins: switched, servers: newServers } = request
  return changePolicy(parts, by, policyId, {
    change: 'policy.edit',
    version,
    edit: ({ policy }) =>
      ok({
        name: name ?? policy.name,
        teams: newTeams ?? policy.teams,
        builtins: { ...policy.builtins, ...(switched as Partial<Builtins> | undefined) },
        servers: newServers ?? policy.servers,
      }),
  })
}

/** The policy's key fails on its next use and its tools are gone. */
export const deletePolicy: OwnerOperation<'deletePolicy'> = async (parts, by, request) => {
  const { policyId } = request

  return retryConflicts(async () => {
    const managed = await managedPolicy(parts, by, policyId, MANAGERS)
    if (!managed.ok) return managed
    const { orgId, policy, version, keyVersion } = managed.value
    const routes = await routeWrites(parts.db, {
      orgId,
      policyId,
      teams: policy.teams,
      before: policy.servers.map(({ slug }) => slug),
      after: [],
    })
    if (!routes.ok) return routes
    const meta = { ...by.via, change: 'policy.delete', version: policy.version, ...settingsMeta(policy) }
    const appended = await parts.append(logs.org(orgId), orgId, {
      drafts: [{ action: 'policy.update', actor: by.actor, target: policyId, call: '', meta }],
      writes: () => [
        { op: 'delete', path: policyPaths.policy(orgId, policyId), version },
        { op: 'delete', path: policyPaths.key(policyId), version: keyVersion },
        { op: 'delete', path: policyPaths.workers(orgId, policyId), version: undefined },
        ...unpinned(orgId, policyId, policy.servers, []),
        ...routes.value,
      ],
    })
    return appended.ok ? ok({ policyId }) : appended
  })
}

/** Only agents of these teams may use the policy; with no teams, all agents of the organization. */
export const assignPolicy: OwnerOperation<'assignPolicy'> = async (parts, by, request) => {
  return changePolicy(parts, by, request.policyId, {
    change: 'policy.assign',
    edit: ({ policy: { name, builtins, servers } }) => ok({ name, builtins, servers, teams: request.teams }),
  })
}

/** The old key fails on its next use. */
export const regeneratePolicyKey: OwnerOperation<'regeneratePolicyKey'> = async (parts, by, request) => {
  const { policyId } = request
  const key = formatKey('tools', policyId, randomBytes(32))

  return retryConflicts(async () => {
    const managed = await managedPolicy(parts, by, policyId, MANAGERS)
    if (!managed.ok) return managed
    const { orgId, key: before, keyVersion } = managed.value
    const change = { hash: hashSecret(key.split('.')[2]!), version: before.version + 1, updatedAt: new Date() }
    const appended = await parts.append(logs.org(orgId), orgId, {
      drafts: [
        {
          action: 'key.rotate',
          actor: by.actor,
          target: policyId,
          call: '',
          meta: { ...by.via, keyVersion: change.version },
        },
      ],
      writes: () => [{ op: 'update', path: policyPaths.key(policyId), data: change, version: keyVersion }],
    })
    return appended.ok ? ok({ key }) : appended
  })
}
