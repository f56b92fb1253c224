import type { Meta } from '@vitrine/core/log/entry'
import { fail, ok, type Result } from '@vitrine/core/result'
import type { Principal } from '../auth/owner.ts'
import type { PolicyParts } from './parts.ts'
import { logs } from '../store/documents.ts'
import { retryConflicts } from '../store/retry.ts'
import { policyPaths } from '../store/policy-documents.ts'
import { MANAGERS, managedPolicy, type Managed } from './managed.ts'
import { forget } from './records.ts'
import { routeWrites } from './routes.ts'
import { checkSettings, settingsMeta, unpinned, type PolicySettings } from './settings.ts'

/** Changes a tool policy in one commit: the document, its routes, its pins and the audit entry. */

export interface PolicyChange {
  /** The change's name in the audit entry. */
  change: string
  /** The version that the change requires; any version if undefined. */
  version?: number | undefined
  meta?: Meta
  /** Pins to remove besides those that the change itself invalidates. */
  unpin?: string[]
  edit: (before: Managed) => Result<PolicySettings>
}

export interface Changed {
  policyId: string
  version: number
}

/**
 * Applies a change. Errors: those of managedPolicy, `edit`, checkSettings and routeWrites; conflict if `version` is not
 * the current one.
 */
export async function changePolicy(
  parts: PolicyParts,
  by: Principal,
  policyId: string,
  request: PolicyChange,
): Promise<Result<Changed>> {
  const attempt = () => tryChange(parts, by, policyId, request)
  return request.version === undefined ? retryConflicts(attempt) : attempt()
}

async function tryChange(
  parts: PolicyParts,
  by: Principal,
  policyId: string,
  { change, version, meta, unpin = [], edit }: PolicyChange,
): Promise<Result<Changed>> {
  const managed = await managedPolicy(parts, by, policyId, MANAGERS)
  if (!managed.ok) return managed
  const { orgId, policy: before } = managed.value
  if (version !== undefined && version !== before.version) {
    return fail('conflict', `The policy is at version ${before.version}; read it again and retry.`, {
      version: before.version,
    })
  }
  const edited = edit(managed.value)
  if (!edited.ok) return edited
  const after = edited.value
  const checked = await checkSettings(parts.db, orgId, after)
  if (!checked.ok) return checked
  const slugs = (settings: PolicySettings) => settings.servers.map(({ slug }) => slug)
  const routes = await routeWrites(parts.db, {
    orgId,
    policyId,
    teams: after.teams,
    before: slugs(before),
    after: slugs(after),
  })
  if (!routes.ok) return routes

  const counts = { version: before.version + 1, revision: before.revision + 1 }
  const forgotten = [
    ...unpinned(orgId, policyId, before.servers, after.servers),
    ...unpin.flatMap((slug) => forget(orgId, policyId, slug)),
  ]
  const gone = new Map(forgotten.map((write) => [write.path, write]))
  const appended = await parts.append(logs.org(orgId), orgId, {
    drafts: [
      {
        action: 'policy.update',
        actor: by.actor,
        target: policyId,
        call: '',
        meta: { ...by.via, change, version: counts.version, ...settingsMeta(after), ...meta },
      },
    ],
    writes: () => [
      {
        op: 'update',
        path: policyPaths.policy(orgId, policyId),
        data: { ...after, ...counts, updatedAt: new Date() },
        version: managed.value.version,
      },
      ...routes.value,
      ...gone.values(),
    ],
  })
  return appended.ok ? ok({ policyId, version: counts.version }) : appended
}
