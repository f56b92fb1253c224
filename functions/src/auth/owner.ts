import type { Role } from '@vitrine/core/api/organization'
import type { Auth } from 'firebase-admin/auth'
import type { Firestore } from 'firebase-admin/firestore'
import type { Meta } from '@vitrine/core/log/entry'
import { fail, ok, type Result } from '@vitrine/core/result'
import { describeRequest } from '../lib/log.ts'
import { paths, type AgentDoc, type OrgDoc } from '../store/documents.ts'
import { read } from '../store/path.ts'
import { readBearer, type Bearer } from './bearer.ts'
import { matchesHash } from './secret.ts'

/** A person, signed in with Firebase Auth or represented by an owner key. */
export interface Principal {
  uid: string
  /** The actor of audit entries. */
  actor: string
  /** Added to an entry's meta: the key that acted, if one did. */
  via: Meta
  /** The only organization that an owner key opens; undefined for a signed-in user. */
  keyOrgId?: string
}

/** Errors: unauthenticated, malformed_key, invalid_key, permission_denied. */
export async function authenticateOwner(
  auth: Auth,
  db: Firestore,
  authorization: string | undefined,
): Promise<Result<Principal>> {
  const bearer = readBearer(authorization)
  if (!bearer.ok) return bearer
  const owner = await (bearer.value.type === 'key'
    ? byOwnerKey(db, bearer.value.key)
    : byIdToken(auth, bearer.value.token))
  if (owner.ok) describeRequest({ principal: { kind: 'user', id: owner.value.uid } })
  return owner
}

/** Codes of firebase-admin that say nothing about the token: Firebase Auth did not answer. */
const NO_VERDICT = new Set(['app/network-error', 'app/network-timeout', 'auth/internal-error'])

/** A signed-in user. Errors: invalid_key, unavailable. */
export async function byIdToken(auth: Auth, token: string): Promise<Result<Principal>> {
  try {
    // Checks revocation, so that revoked sessions and deleted users fail at once: these calls are rare and change what
    // agents may do.
    const { uid } = await auth.verifyIdToken(token, true)
    return ok({ uid, actor: `user:${uid}`, via: {} })
  } catch (error) {
    return fail(NO_VERDICT.has(String((error as { code?: unknown }).code)) ? 'unavailable' : 'invalid_key')
  }
}

async function byOwnerKey(db: Firestore, key: Extract<Bearer, { type: 'key' }>['key']): Promise<Result<Principal>> {
  if (key.kind !== 'owner') return fail('permission_denied', 'This call takes an ID token or an owner key.')
  const { data: doc } = await read(db, paths.ownerKey(key.id))
  if (!matchesHash(key.secret, doc?.hash) || !doc || doc.revoked) return fail('invalid_key')
  return ok({ uid: doc.uid, actor: `user:${doc.uid}`, via: { key: key.id }, keyOrgId: doc.orgId })
}

/** The current role in an organization; undefined for outsiders and for keys of another organization. */
export async function roleIn(db: Firestore, principal: Principal, orgId: string): Promise<Role | undefined> {
  if (principal.keyOrgId !== undefined && principal.keyOrgId !== orgId) return undefined
  return (await read(db, paths.member(orgId, principal.uid))).data?.role
}

/**
 * The agent, if the principal may manage it: owners and admins of its organization and the member who owns it. Errors:
 * agent_not_found, also for an existing agent that they may not manage.
 */
export async function manageableAgent(
  db: Firestore,
  principal: Principal,
  agentId: string,
): Promise<Result<{ agent: AgentDoc; version: unknown }>> {
  const found = await readableAgent(db, principal, agentId)
  if (!found.ok) return found
  const { agent, role } = found.value
  const mayManage = role === 'owner' || role === 'admin' || (role === 'member' && agent.ownerUid === principal.uid)
  return mayManage ? ok(found.value) : fail('agent_not_found')
}

/** The agent, if the principal may read its chain: its managers and auditors. Errors: agent_not_found. */
export async function readableAgent(
  db: Firestore,
  principal: Principal,
  agentId: string,
): Promise<Result<{ agent: AgentDoc; version: unknown; role: Role }>> {
  const { data: agent, version } = await read(db, paths.agent(agentId))
  const role = agent && (await roleIn(db, principal, agent.orgId))
  if (!agent || !role || (role === 'member' && agent.ownerUid !== principal.uid)) return fail('agent_not_found')
  describeRequest({ agentId })
  return ok({ agent, version, role })
}

/**
 * Errors: org_not_found, also for a principal without one of the roles who may not know that the organization exists.
 */
export async function orgWithRole(
  db: Firestore,
  principal: Principal,
  orgId: string,
  roles: readonly Role[],
): Promise<Result<{ org: OrgDoc; version: unknown; role: Role }>> {
  const role = await roleIn(db, principal, orgId)
  if (!role) return fail('org_not_found')
  if (!roles.includes(role)) return fail('permission_denied')
  const { data: org, version } = await read(db, paths.org(orgId))
  return org ? ok({ org, version, role }) : fail('org_not_found')
}
