import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { ok } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import { policyPaths } from '../../store/policy-documents.ts'
import { MANAGERS, managedPolicy } from '../../policies/managed.ts'
import { logs } from '../../store/documents.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { Operation } from './operation.ts'

/** `{policyId}` → `{key}`. The old key fails from its next use on. Errors: policy_not_found, permission_denied. */
export const regeneratePolicyKey: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ policyId: id }), data)
  if (!request.ok) return request
  const { policyId } = request.value
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
