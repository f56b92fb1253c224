import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { POLICIES_PER_ORG_MAX } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import { orgWithRole, type Principal } from '../../auth/owner.ts'
import { id, label, parse } from '../../http/parse.ts'
import type { Parts } from '../../parts.ts'
import { policyPaths, type ToolKeyDoc } from '../../store/policy-documents.ts'
import { MANAGERS } from '../../policies/managed.ts'
import { routeWrites } from '../../policies/routes.ts'
import { builtins, servers, teams } from '../../policies/schema.ts'
import { checkSettings, NO_BUILTINS, settingsMeta, type PolicySettings } from '../../policies/settings.ts'
import { logs } from '../../store/documents.ts'
import { newId } from '../../store/ids.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'
import { ensurePersonalOrg } from './personal-org.ts'

const schema = z.strictObject({
  orgId: id.optional(),
  name: label,
  teams: teams.default([]),
  builtins: builtins.default({}),
  servers: servers.default([]),
})

/**
 * `{orgId?, name, teams?, builtins?, servers?}` → `{policyId, key}`. The connector key is shown this once; whoever holds it gets
 * exactly the tools of this policy. Errors: org_not_found, permission_denied, team_not_found, slug_taken.
 */
export const createPolicy: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const orgId = request.value.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, MANAGERS)
  if (!org.ok) return org
  const count = await parts.db.collection(policyPaths.policies(orgId)).count().get()
  if (count.data().count >= POLICIES_PER_ORG_MAX)
    return fail('invalid_argument', `An organization has at most ${POLICIES_PER_ORG_MAX} tool policies.`)
  const settings: PolicySettings = {
    name: request.value.name,
    teams: request.value.teams,
    builtins: { ...NO_BUILTINS, ...request.value.builtins },
    servers: request.value.servers,
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
