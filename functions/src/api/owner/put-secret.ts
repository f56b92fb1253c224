import * as z from 'zod'
import { SECRETS_PER_SCOPE_MAX, TOKEN_BYTES_MAX } from '@vitrine/core/limits'
import { fail, ok, type Result } from '@vitrine/core/result'
import { id, parse } from '../../http/parse.ts'
import type { Parts } from '../../parts.ts'
import { secretName } from '../../policies/schema.ts'
import { recordSecret } from '../../policies/secret-change.ts'
import { checkTeam } from '../../policies/secret-scope.ts'
import {
  checkForm,
  secretPaths,
  secretResource,
  SECRET_SCOPES,
  toSecretDoc,
  type SecretForm,
  type SecretName,
} from '../../policies/secret-doc.ts'
import { retryConflicts } from '../../store/retry.ts'
import { namedSecret } from './named-secret.ts'
import type { Operation } from './operation.ts'

const schema = z
  .strictObject({
    orgId: id.optional(),
    scope: z.enum(SECRET_SCOPES),
    team: id.optional(),
    name: secretName,
    value: z.string().optional(),
    env: z.string().max(128).optional(),
    secretManager: z.string().max(512).optional(),
  })
  .refine(
    ({ value, env, secretManager }) => [value, env, secretManager].filter((form) => form !== undefined).length === 1,
    'Give value, env or secretManager, one of them.',
  )

type PutSecret = z.infer<typeof schema>

/**
 * `{orgId?, scope, team?, name, value | env | secretManager}` → `{scope, team?, name, created}`: sets a secret of the organization, of a
 * team (for owners and admins), or of oneself. A value is sealed at once and never comes back. Errors: org_not_found,
 * permission_denied, team_not_found, token_too_large, kms_unavailable.
 */
export const putSecret: Operation = async (parts, by, data) => {
  const request = parse(schema, data)
  if (!request.ok) return request
  const found = await namedSecret(parts, by, request.value)
  if (!found.ok) return found
  const secret = found.value
  const team = await checkTeam(parts, secret)
  if (!team.ok) return team
  const form = await formOf(parts, request.value, secret)
  if (!form.ok) return form
  const doc = toSecretDoc(secret, form.value)

  return retryConflicts(async () => {
    const snapshot = await parts.db.doc(secretPaths.secret(secret)).get()
    const room = snapshot.exists ? ok(null) : await checkRoom(parts, secret)
    if (!room.ok) return room
    const now = new Date()
    const stored = { ...doc, createdAt: snapshot.exists ? (snapshot.get('createdAt') as unknown) : now, updatedAt: now }
    const path = snapshot.ref.path
    const meta = { form: 'enc' in doc ? 'kms' : 'env' in doc ? 'env' : 'secretManager', created: !snapshot.exists }
    const appended = await recordSecret(
      parts,
      by,
      'secret.put',
      secret,
      meta,
      snapshot.exists ? { op: 'set', path, data: stored } : { op: 'create', path, data: stored },
    )
    return appended.ok
      ? ok({
          scope: secret.scope,
          ...(secret.scope === 'team' && { team: secret.owner }),
          name: secret.name,
          created: !snapshot.exists,
        })
      : appended
  })
}

async function formOf(
  parts: Parts,
  { value, env, secretManager }: PutSecret,
  secret: SecretName,
): Promise<Result<SecretForm>> {
  if (value !== undefined) {
    const checked = checkValue(value)
    return checked.ok ? parts.vault.seal(value, secretResource(parts.project, secret)) : checked
  }
  const form: SecretForm = env !== undefined ? { env } : { secretManager: secretManager! }
  const checked = checkForm(secret.orgId, form, parts)
  return checked.ok ? ok(form) : checked
}

function checkValue(value: string): Result<null> {
  if (Buffer.byteLength(value) > TOKEN_BYTES_MAX) return fail('token_too_large', undefined, { field: 'value' })
  if (value === '')
    return fail('invalid_argument', 'value: It is empty; deleteSecret takes a secret away.', { field: 'value' })
  // It becomes an environment variable, which ends at the first NUL.
  if (value.includes('\0') || !value.isWellFormed())
    return fail('invalid_argument', 'value: Must be text without NUL or lone surrogates.', { field: 'value' })
  return ok(null)
}

async function checkRoom({ db }: Parts, { orgId, scope, owner }: SecretName): Promise<Result<null>> {
  const count = await db
    .collection(secretPaths.secrets(orgId))
    .where('scope', '==', scope)
    .where('owner', '==', owner)
    .count()
    .get()
  return count.data().count < SECRETS_PER_SCOPE_MAX
    ? ok(null)
    : fail('invalid_argument', `There are at most ${SECRETS_PER_SCOPE_MAX} secrets in one scope.`)
}
