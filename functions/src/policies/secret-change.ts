import type { Action, Meta } from '@vitrine/core/log/entry'
import type { Result } from '@vitrine/core/result'
import type { Principal } from '../auth/owner.ts'
import type { Appended, Write } from '../ledger/plan.ts'
import type { PolicyParts } from './parts.ts'
import { logs } from '../store/documents.ts'
import { read } from '../store/path.ts'
import { secretPaths, type SecretName } from './secret-doc.ts'

/**
 * Commits a change of a secret with its entry and makes workers fetch their policy again. For a user's secret they need
 * not: it travels with each call.
 */
export async function recordSecret(
  parts: PolicyParts,
  by: Principal,
  action: Action & `secret.${string}`,
  name: SecretName,
  meta: Meta,
  write: Write,
): Promise<Result<Appended>> {
  const { orgId, scope, owner } = name
  const counted = scope === 'user' ? [] : [await nextRevision(parts, orgId)]
  return parts.append(logs.org(orgId), orgId, {
    drafts: [
      {
        action,
        actor: by.actor,
        target: name.name,
        call: '',
        meta: { ...by.via, scope, ...(owner !== '' && { owner }), ...meta },
      },
    ],
    writes: () => [write, ...counted],
  })
}

async function nextRevision({ db }: PolicyParts, orgId: string): Promise<Write> {
  const path = secretPaths.revision(orgId)
  const { data, version } = await read(db, path)
  return data
    ? { op: 'update', path, data: { revision: data.revision + 1 }, version }
    : { op: 'create', path, data: { orgId, revision: 1 } }
}
