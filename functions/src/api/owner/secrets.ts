import type { Request } from '@vitrine/core/api/contract'
import { SECRETS_PER_SCOPE_MAX, TOKEN_BYTES_MAX } from '@vitrine/core/limits'
import { type Result, fail, ok } from '@vitrine/core/result'
import { type Principal, orgWithRole } from '../../auth/owner.ts'
import type { Parts } from '../../parts.ts'
import { MANAGERS, READERS } from '../../policies/managed.ts'
import {
  type SecretForm,
  type SecretName,
  checkForm,
  secretPaths,
  secretResource,
  toSecretDoc,
} from '../../policies/secret-doc.ts'
import { checkTeam, ownSecret, recordSecret, type ScopedRequest } from '../../policies/secret-change.ts'
import { collection, read, select } from '../../store/path.ts'
import { retryConflicts } from '../../store/retry.ts'
import type { OwnerOperation } from './operation.ts'
import { ensurePersonalOrg } from './organization.ts'

/**
 * The secret that an owner names, in their own organization unless the request names another. Errors: those of
 * ownSecret.
 */
export async function namedSecret(
  parts: Parts,
  by: Principal,
  request: Omit<ScopedRequest, 'orgId'> & { orgId?: string | undefined },
): Promise<Result<SecretName>> {
  return ownSecret(parts, by, { ...request, orgId: request.orgId ?? (await ensurePersonalOrg(parts, by)) })
}

type PutSecret = Request<'admin/putSecret'>

/**
 * Sets a secret of the organization or a team (owners and admins), or of the caller. A value is sealed at once and is
 * never returned.
 */
export const putSecret: OwnerOperation<'putSecret'> = async (parts, by, request) => {
  const found = await namedSecret(parts, by, request)
  if (!found.ok) return found
  const secret = found.value
  const team = await checkTeam(parts, secret)
  if (!team.ok) return team
  const form = await formOf(parts, request, secret)
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

/** The secrets that the caller may change. Their values, or where those are, are not even read. */
export const listSecrets: OwnerOperation<'listSecrets'> = async (parts, by, request) => {
  const orgId = request.orgId ?? (await ensurePersonalOrg(parts, by))
  const org = await orgWithRole(parts.db, by, orgId, READERS)
  if (!org.ok) return org
  const named = select(collection(parts.db, secretPaths.secrets(orgId)), 'scope', 'owner', 'name')
  const [own, shared] = await Promise.all([
    named.where('scope', '==', 'user').where('owner', '==', by.uid).get(),
    MANAGERS.includes(org.value.role) ? named.where('scope', 'in', ['org', 'team']).get() : undefined,
  ])
  const found = [...(shared?.docs ?? []), ...own.docs].map((doc) => doc.data())
  return ok({
    secrets: found.map(({ scope, owner, name }) => ({ scope, ...(scope === 'team' && { team: owner }), name })),
  })
}

export const deleteSecret: OwnerOperation<'deleteSecret'> = async (parts, by, request) => {
  const found = await namedSecret(parts, by, request)
  if (!found.ok) return found
  const secret = found.value

  return retryConflicts(async () => {
    const path = secretPaths.secret(secret)
    const { data, version } = await read(parts.db, path)
    if (!data) return fail('secret_not_found')
    const appended = await recordSecret(parts, by, 'secret.delete', secret, {}, { op: 'delete', path, version })
    return appended.ok
      ? ok({ scope: secret.scope, ...(secret.scope === 'team' && { team: secret.owner }), name: secret.name })
      : appended
  })
}
