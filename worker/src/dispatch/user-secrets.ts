import { isId } from '@vitrine/core/names'
import type { Sealed } from '@vitrine/core/policy/worker-protocol'

/** The user and organization whose secrets a call may carry. */
export interface Whose {
  /** null before there is a policy: then no secret is accepted. */
  orgId: string | null
  user: string | undefined
}

/**
 * Whether all secrets of a call belong to its user, in the policy's organization. The worker's service account could
 * decrypt secrets of the organization's other users too, so the document path that each ciphertext is bound to is
 * checked. A reference has no user in its name: for Secret Manager only the organization is checked, and variables of
 * this process belong to the operator.
 */
export function areOfUser(userSecrets: Readonly<Record<string, Sealed>>, { orgId, user }: Whose): boolean {
  const all = Object.values(userSecrets)
  if (all.length === 0) return true
  return orgId !== null && user !== undefined && all.every((sealed) => isOfUser(sealed, orgId, user))
}

function isOfUser(sealed: Sealed, orgId: string, user: string): boolean {
  if ('env' in sealed) return true
  if ('secretManager' in sealed)
    return isBetween(sealed.secretManager, `secrets/vitrine-${orgId}-`, '', (rest) =>
      /^\w+(?:\/versions\/\w+)?$/.test(rest),
    )
  return isBetween(sealed.resource, `databases/(default)/documents/orgs/${orgId}/secrets/user:${user}:`, '#enc', isId)
}

/**
 * Whether a path is `projects/{project}/{prefix}{rest}{suffix}`. A rest never holds the character that ends its prefix
 * (':' or '-'), so ids with a common beginning can't be confused.
 */
function isBetween(path: string, prefix: string, suffix: string, isRest: (rest: string) => boolean): boolean {
  const [, below] = /^projects\/[^/]+\/(.+)$/s.exec(path) ?? []
  if (below === undefined || !below.startsWith(prefix) || !below.endsWith(suffix)) return false
  return isRest(below.slice(prefix.length, below.length - suffix.length))
}
