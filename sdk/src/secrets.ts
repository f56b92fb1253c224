import type { Call, CallOptions } from './call.ts'
import * as check from './check.ts'

/** Whose a secret is: the organization's, a team's, or the caller's own. */
export type SecretOwner = { scope: 'org' } | { scope: 'team'; team: string } | { scope: 'user' }

/** A value, which is encrypted at once, or where the worker finds it: a variable that the operator listed, or a name in Secret Manager. */
export type SecretForm = { value: string } | { env: string } | { secretManager: string }

export type SecretName = SecretOwner & { name: string }

/** Without `orgId` the caller's own organization. */
export type PutSecretInput = SecretName & SecretForm & { orgId?: string }

export interface Secrets {
  /** Owner, admin (`org`, `team`); member (`user`): sets a secret, or sets it anew. No answer ever holds it. */
  put(input: PutSecretInput, options?: CallOptions): Promise<SecretName & { created: boolean }>
  /** Member: the secrets that the caller may set, by scope and name. */
  list(input: { orgId?: string }, options?: CallOptions): Promise<{ secrets: SecretName[] }>
  /** Owner, admin (`org`, `team`); member (`user`). */
  delete(input: SecretName & { orgId?: string }, options?: CallOptions): Promise<SecretName>
}

const NAMED = {
  orgId: check.optional(check.id),
  scope: check.oneOf('org', 'team', 'user'),
  team: check.optional(check.id),
  name: check.id,
}
const PUT = {
  ...NAMED,
  value: check.optional(check.token),
  env: check.optional(check.term),
  secretManager: check.optional(check.term),
}

export function createSecrets(call: Call): Secrets {
  return {
    async put(input, options) {
      check.checkFields(input, PUT)
      return call('admin/putSecret', input, { scope: 'string', name: 'string', created: 'boolean' }, options)
    },
    async list(input, options) {
      check.checkFields(input, { orgId: check.optional(check.id) })
      return call('admin/listSecrets', input, { secrets: 'array' }, options)
    },
    async delete(input, options) {
      check.checkFields(input, NAMED)
      return call('admin/deleteSecret', input, { scope: 'string', name: 'string' }, options)
    },
  }
}
