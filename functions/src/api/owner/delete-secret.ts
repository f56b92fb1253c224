import * as z from 'zod'
import { fail, ok } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import { secretName } from '../../policies/schema.ts'
import { recordSecret } from '../../policies/secret-change.ts'
import { secretPaths, SECRET_SCOPES } from '../../policies/secret-doc.ts'
import { retryConflicts } from '../../store/retry.ts'
import { namedSecret } from './named-secret.ts'
import type { Operation } from './operation.ts'

const schema = z.strictObject({
  orgId: id.optional(),
  scope: z.enum(SECRET_SCOPES),
  team: id.optional(),
  name: secretName,
})

/** `{orgId?, scope, team?, name}` → `{scope, team?, name}`. Errors: org_not_found, permission_denied, secret_not_found. */
export const deleteSecret: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const found = await namedSecret(parts, by, request.value)
  if (!found.ok) return found
  const secret = found.value

  return retryConflicts(async () => {
    const snapshot = await parts.db.doc(secretPaths.secret(secret)).get()
    if (!snapshot.exists) return fail('secret_not_found')
    const appended = await recordSecret(
      parts,
      by,
      'secret.delete',
      secret,
      {},
      { op: 'delete', path: snapshot.ref.path, version: snapshot.updateTime },
    )
    return appended.ok
      ? ok({ scope: secret.scope, ...(secret.scope === 'team' && { team: secret.owner }), name: secret.name })
      : appended
  })
}
