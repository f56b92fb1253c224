import * as z from 'zod'
import { ok } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import { policyPaths } from '../../store/policy-documents.ts'
import { MANAGERS, managedPolicy } from '../../policies/managed.ts'
import { routeWrites } from '../../policies/routes.ts'
import { settingsMeta, unpinned } from '../../policies/settings.ts'
import { logs } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'

/** `{policyId}` → `{policyId}`. Its key fails from its next use on and its tools are gone. Errors: policy_not_found, permission_denied. */
export const deletePolicy: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ policyId: id }), data)
  if (!request.ok) return request
  const { policyId } = request.value

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
