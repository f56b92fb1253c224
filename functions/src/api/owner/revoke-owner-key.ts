import * as z from 'zod'
import { fail, ok } from '@vitrine/core/result'
import { roleIn } from '../../auth/owner.ts'
import { id, parse } from '../../http/parse.ts'
import { logs, paths, type OwnerKeyDoc } from '../../store/documents.ts'
import type { Operation } from './operation.ts'

/** `{keyId}` → `{keyId}`. One's own keys, and as owner or admin those of the organization. Errors: key_not_found. */
export const revokeOwnerKey: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ keyId: id }), data)
  if (!request.ok) return request
  const { keyId } = request.value
  const doc = (await parts.db.doc(paths.ownerKey(keyId)).get()).data() as OwnerKeyDoc | undefined
  const role = doc && (await roleIn(parts.db, by, doc.orgId))
  const mayRevoke = role === 'owner' || role === 'admin' || (role !== undefined && doc?.uid === by.uid)
  if (!doc || !mayRevoke) return fail('key_not_found')

  const appended = await parts.append(logs.org(doc.orgId), doc.orgId, {
    drafts: [{ action: 'key.revoke', actor: by.actor, target: keyId, call: '', meta: by.via }],
    writes: () => [{ op: 'update', path: paths.ownerKey(keyId), data: { revoked: true, revokedAt: new Date() } }],
  })
  return appended.ok ? ok({ keyId }) : appended
}
