import { isId } from '@vitrine/core/names'
import type { Sealed } from '@vitrine/core/policy/worker-protocol'

/** Whose secrets may come with a call. */
export interface Whose {
  /** null: nobody's. */
  orgId: string | null
  user: string | undefined
}

/**
 * Whether a call's secrets are all of the user that it is made for, in the organization of the policy, by the document that each is bound
 * to: this process could decrypt the others of its organization too. What only points to a value has no owner in its name; of these
 * secrets in Secret Manager have an organization, and variables of this process are the operator's.
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

/** `projects/{project}/{prefix}{rest}{suffix}`. No rest holds a ':' or a '-' where its prefix could go on: ids that begin alike stay apart. */
function isBetween(path: string, prefix: string, suffix: string, isRest: (rest: string) => boolean): boolean {
  const [, below] = /^projects\/[^/]+\/(.+)$/s.exec(path) ?? []
  if (below === undefined || !below.startsWith(prefix) || !below.endsWith(suffix)) return false
  return isRest(below.slice(prefix.length, below.length - suffix.length))
}
