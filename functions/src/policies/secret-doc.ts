import { collectionPath, path } from '../store/path.ts'
import type { SecretScope } from '@vitrine/core/api/organization'
import type { Sealed } from '@vitrine/core/policy/worker-protocol'
import { fail, ok, type Result } from '@vitrine/core/result'

/** An org, team or user secret. `owner` is the team's id or the user's uid, empty for the organization's own. */
export interface SecretName {
  orgId: string
  scope: SecretScope
  owner: string
  name: string
}

/**
 * Exactly one of three forms: ciphertext bound to this document's path, a variable of the worker's environment, a name
 * in Secret Manager.
 */
export type SecretForm = { enc: Uint8Array; kmsKey: string } | { env: string } | { secretManager: string }

export type SecretDoc = SecretName & SecretForm

export const secretPaths = {
  secrets: (orgId: string) => collectionPath<SecretDoc>(`orgs/${orgId}/secrets`),
  secret: ({ orgId, scope, owner, name }: SecretName) =>
    path<SecretDoc>(`orgs/${orgId}/secrets/${scope}:${owner}:${name}`),
  /** Counts changes, so that workers notice them. */
  revision: (orgId: string) => path<{ revision: number }>(`orgs/${orgId}/state/secrets`),
}

/** What a secret's ciphertext is bound to (docs/design.md section 6). */
export function secretResource(project: string, name: SecretName): string {
  return `projects/${project}/databases/(default)/documents/${secretPaths.secret(name)}#enc`
}

/** What secrets may refer to instead of holding a value. */
export interface SecretSources {
  project: string
  /** Variables that the operator listed in VITRINE_SECRET_ENV. */
  secretEnv: ReadonlySet<string>
}

/**
 * Errors: invalid_argument for a variable that the operator did not list, and for a name without the organization's own
 * prefix.
 */
export function checkForm(orgId: string, form: SecretForm, { project, secretEnv }: SecretSources): Result<null> {
  if ('env' in form && !secretEnv.has(form.env)) {
    return fail('invalid_argument', 'env: The operator has not listed this variable in VITRINE_SECRET_ENV.', {
      field: 'env',
    })
  }
  if ('secretManager' in form && !isOwnSecret(orgId, project, form.secretManager)) {
    const prefix = `projects/${project}/secrets/vitrine-${orgId}-`
    return fail(
      'invalid_argument',
      `secretManager: Must be ${prefix}{name}, the name of A-Z, a-z, 0-9 and "_", perhaps with /versions/{number or latest}.`,
      { field: 'secretManager' },
    )
  }
  return ok(null)
}

/** The last part has no '-', so an organization whose id is a prefix of another's cannot name the other's secrets. */
function isOwnSecret(orgId: string, project: string, text: string): boolean {
  const prefix = `projects/${project}/secrets/vitrine-${orgId}-`
  return (
    text.startsWith(prefix) &&
    /^[A-Za-z0-9_]{1,100}(?:\/versions\/(?:latest|[1-9]\d{0,9}))?$/.test(text.slice(prefix.length))
  )
}

/**
 * Makes every secret document. Throws TypeError unless the form is exactly one of the three, whatever the types said:
 * readers trust what is stored.
 */
export function toSecretDoc({ orgId, scope, owner, name }: SecretName, form: SecretForm): SecretDoc {
  const fields = Object.keys(form).sort().join()
  const { enc, kmsKey, env, secretManager } = form as Partial<Record<string, unknown>>
  const isOne =
    (fields === 'enc,kmsKey' && enc instanceof Uint8Array && enc.length > 0 && typeof kmsKey === 'string') ||
    (fields === 'env' && typeof env === 'string') ||
    (fields === 'secretManager' && typeof secretManager === 'string')
  if (!isOne || (scope === 'org') !== (owner === '')) throw new TypeError('a secret has exactly one of three forms')
  return { orgId, scope, owner, name, ...form }
}

/** A stored secret in the form that travels to a worker; undefined if it does not exist or has no known form. */
export function toSealed(project: string, doc: SecretDoc | undefined): Sealed | undefined {
  if (!doc) return undefined
  const forms = ['enc', 'env', 'secretManager'].filter((field) => Object.hasOwn(doc, field))
  if (forms.length !== 1) return undefined
  if ('enc' in doc)
    return { enc: Buffer.from(doc.enc).toString('base64'), kmsKey: doc.kmsKey, resource: secretResource(project, doc) }
  return 'env' in doc ? { env: doc.env } : { secretManager: doc.secretManager }
}
