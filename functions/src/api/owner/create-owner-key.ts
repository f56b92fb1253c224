import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { formatKey, hashSecret } from '@vitrine/core/keys/key'
import { fail, ok } from '@vitrine/core/result'
import { roleIn } from '../../auth/owner.ts'
import { id, label, parse } from '../../http/parse.ts'
import { logs, paths, type OwnerKeyDoc } from '../../store/documents.ts'
import { newId } from '../../store/ids.ts'
import type { Operation } from './operation.ts'
import { ensurePersonalOrg } from './personal-org.ts'

/** `{label, orgId?}` → `{keyId, key}`. The key acts for its maker within one organization; it is shown this once. */
export const createOwnerKey: Operation = async (parts, by, data) => {
  const request = parse(z.strictObject({ label, orgId: id.optional() }), data)
  if (!request.ok) return request
  const orgId = request.value.orgId ?? (await ensurePersonalOrg(parts, by))
  if (!(await roleIn(parts.db, by, orgId))) return fail('org_not_found')

  const keyId = newId('key')
  const key = formatKey('owner', keyId, randomBytes(32))
  const doc: OwnerKeyDoc = {
    uid: by.uid,
    orgId,
    label: request.value.label,
    hash: hashSecret(key.split('.')[2]!),
    revoked: false,
  }
  const appended = await parts.append(logs.org(orgId), orgId, {
    drafts: [{ action: 'key.create', actor: by.actor, target: keyId, call: '', meta: { ...by.via, label: doc.label } }],
    writes: () => [{ op: 'create', path: paths.ownerKey(keyId), data: { ...doc, createdAt: new Date() } }],
  })
  return appended.ok ? ok({ keyId, key }) : appended
}
