import { initializeTestEnvironment, type RulesTestEnvironment } from '@firebase/rules-unit-testing'
import { doc, setDoc, setLogLevel, Timestamp, type Firestore } from 'firebase/firestore'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { stack } from '../stack/stack.ts'

/**
 * The roles from the point of view of the org `acme`: `maker` and `member` are its members, and the agent belongs to
 * `maker`.
 */
export const ROLES = ['anonymous', 'stranger', 'owner', 'admin', 'maker', 'member', 'auditor', 'rival'] as const
export type Role = (typeof ROLES)[number]

/** The roles in acme's members collection. `rival` owns the other org, globex. */
const MEMBERSHIP = { owner: 'owner', admin: 'admin', maker: 'member', member: 'member', auditor: 'auditor' } as const

export interface World {
  /** Firestore as this role's browser sees it. The uid is the role's name. */
  as(role: Role): Firestore
  /** Signed in as any other user. */
  signedInAs(uid: string): Firestore
  /** Writes without the rules, as the functions do. */
  seed(path: string, data: object): Promise<void>
  close(): Promise<void>
}

/**
 * A separate project on the shared emulator, with the rules loaded and one document in every collection of two orgs.
 */
export async function openWorld(): Promise<World> {
  setLogLevel('silent') // the client warns of every denial, and denials are what is tested
  const [host = '', port = ''] = stack().firestore.split(':')
  const rules = await readFile(new URL('../../firestore.rules', import.meta.url), 'utf8')
  const env = await initializeTestEnvironment({
    projectId: `demo-rules-${randomUUID().slice(0, 8)}`,
    firestore: { host, port: Number(port), rules },
  })
  await env.withSecurityRulesDisabled(async (context) => {
    const documents = {
      ...documentsOf('acme', 'scout', 'maker'),
      ...documentsOf('globex', 'probe', 'rival'),
      ...personal(),
    }
    for (const [path, data] of Object.entries(documents)) await setDoc(doc(firestoreOf(context), path), data)
  })
  const clients = new Map<string, Firestore>([['anonymous', firestoreOf(env.unauthenticatedContext())]])
  const signedInAs = (uid: string): Firestore => {
    const client = clients.get(uid) ?? firestoreOf(env.authenticatedContext(uid))
    clients.set(uid, client)
    return client
  }
  return {
    as: signedInAs,
    signedInAs,
    seed: (path, data) => env.withSecurityRulesDisabled((context) => setDoc(doc(firestoreOf(context), path), data)),
    close: () => closeWorld(env),
  }
}

async function closeWorld(env: RulesTestEnvironment): Promise<void> {
  await env.clearFirestore()
  await env.cleanup()
}

/** rules-unit-testing types its Firestore as the compat one; at run time the modular functions accept it. */
function firestoreOf(context: ReturnType<RulesTestEnvironment['unauthenticatedContext']>): Firestore {
  return context.firestore() as unknown as Firestore
}

function documentsOf(orgId: string, agentId: string, agentOwner: string): Record<string, object> {
  const members = orgId === 'acme' ? MEMBERSHIP : { rival: 'owner' }
  const org = `orgs/${orgId}`
  const agent = `agents/${agentId}`
  return {
    [org]: { name: orgId },
    ...Object.fromEntries(Object.entries(members).map(([uid, role]) => [`${org}/members/${uid}`, { role }])),
    [`${org}/teams/core`]: { name: 'core' },
    [`${org}/services/github`]: { title: 'GitHub' },
    [`${org}/connections/c1`]: { enc: 'ciphertext', kmsKey: 'k' },
    [`${org}/secrets/s1`]: { enc: 'ciphertext', kmsKey: 'k' },
    [`${org}/secrets/org::s2`]: { scope: 'org', env: 'API_KEY' },
    [`${org}/secrets/user:member:s3`]: { scope: 'user', owner: 'member', secretManager: 's' },
    [`${org}/toolPolicies/p1`]: { orgId, name: 'Tools', servers: [] },
    [`${org}/toolPolicies/p1/servers/github`]: { orgId, manifest: '{"tools":[]}' },
    [`${org}/toolPolicies/p1/servers/github/lists/l-0`]: { bytes: 'gzip' },
    [`${org}/toolPolicies/p1/state/workers`]: { orgId, workers: {} },
    [`${org}/toolPolicies/p1/others/o1`]: { orgId },
    [`${org}/toolRoutes/github`]: { orgId, routes: [] },
    [`${org}/accessRules/current`]: { rules: [] },
    ...ledgerOf(org, orgId),
    [agent]: { orgId, ownerUid: agentOwner, name: agentId, keyHash: '00', keyVersion: 1, disabled: false },
    [`${agent}/tools/search`]: { name: 'search', enabled: true, credential: 1 },
    [`${agent}/tools/search/lists/l-0`]: { bytes: 'gzip' },
    [`${agent}/credentials/search`]: { orgId, enc: 'ciphertext', kmsKey: 'k', version: 1 },
    [`${agent}/tasks/t1`]: { allowedTools: [] },
    [`${agent}/idempotency/i1`]: { call: 'c' },
    ...ledgerOf(agent, orgId),
  }
}

function ledgerOf(parent: string, orgId: string): Record<string, object> {
  return {
    [`${parent}/audit/0000000000000000`]: {
      orgId,
      first: 0,
      count: 1,
      at: Timestamp.fromMillis(0),
      facets: ['tool=search'],
      entries: [],
    },
    [`${parent}/checkpoints/1`]: { orgId, size: 1, note: 'note' },
    [`${parent}/openings/0000000000000000`]: { orgId, c: { salt: '00', args: '{}' } },
    [`${parent}/tiles/0-0`]: { orgId, level: 0, index: 0, hashes: [] },
    [`${parent}/closings/c`]: { seq: 1 },
    [`${parent}/state/reconciler`]: { closedBefore: 1 },
    [`${parent}/usage/2026-01`]: { orgId, invoked: 1 },
  }
}

function personal(): Record<string, object> {
  return {
    'owners/maker': { monthlyInvocations: 10_000 },
    'owners/maker/quota/2026-01': { limit: 10_000, leased: 1 },
    'ownerKeys/k1': {
      uid: 'maker',
      orgId: 'acme',
      label: 'ci',
      hash: '00',
      createdAt: Timestamp.fromMillis(0),
      revoked: false,
    },
    'toolKeys/p1': { orgId: 'acme', policyId: 'p1', hash: '00', version: 1 },
    'dispatchKeys/k1': { publicKey: 'x', expiresAt: Timestamp.fromMillis(0) },
    'nowhere/n1': { orgId: 'acme', ownerUid: 'maker' },
  }
}
