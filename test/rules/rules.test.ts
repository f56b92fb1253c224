import { FirebaseError } from 'firebase/app'
import {
  collection,
  collectionGroup,
  deleteDoc,
  doc,
  documentId,
  getDoc,
  getDocs,
  orderBy,
  query,
  setDoc,
  updateDoc,
  where,
  writeBatch,
  type Query,
} from 'firebase/firestore'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openWorld, ROLES, type Role, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

const ADMINS: Role[] = ['owner', 'admin']
const AUDITORS: Role[] = ['owner', 'admin', 'auditor']
const MEMBERS: Role[] = ['owner', 'admin', 'maker', 'member']
const NOBODY: Role[] = []

/**
 * One document of each collection: the roles that may get it and those that may list its collection. No role may write.
 */
const TABLE: { path: string; get: Role[]; list: Role[] }[] = [
  { path: 'orgs/acme', get: ['owner', 'admin', 'maker', 'member'], list: NOBODY },
  { path: 'orgs/acme/members/member', get: ['owner', 'admin', 'member'], list: ADMINS },
  { path: 'orgs/acme/members/auditor', get: ['owner', 'admin', 'auditor'], list: ADMINS },
  { path: 'orgs/acme/teams/core', get: ADMINS, list: ADMINS },
  { path: 'orgs/acme/services/github', get: ADMINS, list: ADMINS },
  { path: 'orgs/acme/connections/c1', get: NOBODY, list: NOBODY },
  { path: 'orgs/acme/secrets/s1', get: NOBODY, list: NOBODY },
  { path: 'orgs/acme/secrets/org::s2', get: NOBODY, list: NOBODY },
  { path: 'orgs/acme/secrets/user:member:s3', get: NOBODY, list: NOBODY },
  { path: 'orgs/acme/toolPolicies/p1', get: MEMBERS, list: MEMBERS },
  { path: 'orgs/acme/toolPolicies/p1/servers/github', get: MEMBERS, list: MEMBERS },
  { path: 'orgs/acme/toolPolicies/p1/servers/github/lists/l-0', get: NOBODY, list: NOBODY },
  { path: 'orgs/acme/toolPolicies/p1/state/workers', get: MEMBERS, list: MEMBERS },
  { path: 'orgs/acme/toolPolicies/p1/others/o1', get: NOBODY, list: NOBODY },
  { path: 'orgs/acme/toolRoutes/github', get: NOBODY, list: NOBODY },
  { path: 'orgs/acme/accessRules/current', get: ADMINS, list: ADMINS },
  { path: 'orgs/acme/audit/0000000000000000', get: AUDITORS, list: AUDITORS },
  { path: 'orgs/acme/checkpoints/1', get: AUDITORS, list: AUDITORS },
  { path: 'orgs/acme/tiles/0-0', get: AUDITORS, list: AUDITORS },
  { path: 'orgs/acme/closings/c', get: NOBODY, list: NOBODY },
  { path: 'orgs/acme/state/reconciler', get: NOBODY, list: NOBODY },
  { path: 'orgs/acme/usage/2026-01', get: AUDITORS, list: AUDITORS },
  { path: 'orgs/acme/openings/0000000000000000', get: ADMINS, list: ADMINS },
  { path: 'agents/scout', get: ['owner', 'admin', 'maker'], list: NOBODY },
  { path: 'agents/scout/tools/search', get: ['owner', 'admin', 'maker'], list: ['owner', 'admin', 'maker'] },
  { path: 'agents/scout/tools/search/lists/l-0', get: NOBODY, list: NOBODY },
  { path: 'agents/scout/credentials/search', get: NOBODY, list: NOBODY },
  { path: 'agents/scout/tasks/t1', get: ['owner', 'admin', 'maker'], list: ['owner', 'admin', 'maker'] },
  { path: 'agents/scout/idempotency/i1', get: NOBODY, list: NOBODY },
  { path: 'agents/scout/audit/0000000000000000', get: ['maker', ...AUDITORS], list: ['maker', ...AUDITORS] },
  { path: 'agents/scout/checkpoints/1', get: ['maker', ...AUDITORS], list: ['maker', ...AUDITORS] },
  { path: 'agents/scout/tiles/0-0', get: ['maker', ...AUDITORS], list: ['maker', ...AUDITORS] },
  { path: 'agents/scout/closings/c', get: NOBODY, list: NOBODY },
  { path: 'agents/scout/state/reconciler', get: NOBODY, list: NOBODY },
  { path: 'agents/scout/usage/2026-01', get: ['maker', ...AUDITORS], list: ['maker', ...AUDITORS] },
  {
    path: 'agents/scout/openings/0000000000000000',
    get: ['owner', 'admin', 'maker'],
    list: ['owner', 'admin', 'maker'],
  },
  { path: 'owners/maker', get: ['maker'], list: NOBODY },
  { path: 'owners/maker/quota/2026-01', get: ['maker'], list: ['maker'] },
  { path: 'ownerKeys/k1', get: NOBODY, list: NOBODY },
  { path: 'toolKeys/p1', get: NOBODY, list: NOBODY },
  { path: 'dispatchKeys/k1', get: NOBODY, list: NOBODY },
  { path: 'nowhere/n1', get: NOBODY, list: NOBODY },
]

it.each(TABLE)('$path', async ({ path, get, list }) => {
  const parent = path.slice(0, path.lastIndexOf('/'))
  const found = ROLES.map(async (role) => {
    const db = world.as(role)
    return {
      role,
      get: await allowed(getDoc(doc(db, path))),
      list: await allowed(getDocs(collection(db, parent))),
      create: await allowed(
        setDoc(doc(db, parent, 'new'), { orgId: 'acme', ownerUid: role, uid: role, role: 'owner' }),
      ),
      update: await allowed(updateDoc(doc(db, path), { touched: true })),
      delete: await allowed(deleteDoc(doc(db, path))),
    }
  })
  expect(await Promise.all(found)).toEqual(
    ROLES.map((role) => ({
      role,
      get: get.includes(role),
      list: list.includes(role),
      create: false,
      update: false,
      delete: false,
    })),
  )
})

it('lets nobody list orgs, not even one by its id', async () => {
  for (const role of ROLES) {
    const orgs = collection(world.as(role), 'orgs')
    expect([role, await allowed(getDocs(query(orgs, where(documentId(), '==', 'acme'))))]).toEqual([role, false])
  }
})

describe('another org', () => {
  const theirs = TABLE.filter(({ path }) => /^(orgs|agents)\//.test(path) && !path.includes('/members/')).map(
    ({ path, get }) => ({
      path: path.replace('orgs/acme', 'orgs/globex').replace('agents/scout', 'agents/probe'),
      owner: get.includes('owner'),
    }),
  )

  it.each(theirs)('$path', async ({ path, owner }) => {
    for (const role of ROLES)
      expect([role, await allowed(getDoc(doc(world.as(role), path)))]).toEqual([role, role === 'rival' && owner])
  })
})

describe('agents by query', () => {
  const QUERIES: { name: string; filter: (role: Role) => Record<string, string>; readers: Role[] }[] = [
    { name: 'of the org', filter: () => ({ orgId: 'acme' }), readers: ADMINS },
    {
      name: 'of the org and oneself',
      filter: (role) => ({ orgId: 'acme', ownerUid: role }),
      readers: ['owner', 'admin', 'maker', 'member'],
    },
    {
      name: 'of the org and a colleague',
      filter: () => ({ orgId: 'acme', ownerUid: 'maker' }),
      readers: ['owner', 'admin', 'maker'],
    },
    { name: 'of oneself in whatever org', filter: (role) => ({ ownerUid: role }), readers: NOBODY },
  ]

  it.each(QUERIES)('$name', async ({ filter, readers }) => {
    for (const role of ROLES) {
      const agents = collection(world.as(role), 'agents')
      const wheres = Object.entries(filter(role)).map(([field, value]) => where(field, '==', value))
      expect([role, await allowed(getDocs(query(agents, ...wheres)))]).toEqual([role, readers.includes(role)])
    }
  })
})

describe.each(['audit', 'checkpoints'])('%s across chains', (name) => {
  const across = (role: Role): Query => collectionGroup(world.as(role), name)

  it('is read by owner, admin and auditor of the org that the query fixes', async () => {
    for (const role of ROLES) {
      expect([role, await allowed(getDocs(query(across(role), where('orgId', '==', 'acme'))))]).toEqual([
        role,
        AUDITORS.includes(role),
      ])
    }
  })

  it('holds the chains of the org and its agents, and no others', async () => {
    const found = await getDocs(query(across('auditor'), where('orgId', '==', 'acme')))
    expect(found.docs.map((found) => found.ref.parent.path).sort()).toEqual([
      `agents/scout/${name}`,
      `orgs/acme/${name}`,
    ])
  })

  it('is read by nobody without an org, in several orgs or in another one', async () => {
    for (const role of ROLES) {
      expect([role, await allowed(getDocs(across(role)))]).toEqual([role, false])
      expect([role, await allowed(getDocs(query(across(role), where('orgId', 'in', ['acme', 'globex']))))]).toEqual([
        role,
        false,
      ])
      expect([role, await allowed(getDocs(query(across(role), where('orgId', '>=', 'acme'))))]).toEqual([role, false])
      expect([role, await allowed(getDocs(query(across(role), where('orgId', '==', 'globex'))))]).toEqual([
        role,
        role === 'rival',
      ])
    }
  })
})

it('lets an auditor narrow the audit by facet and time', async () => {
  const segments = collectionGroup(world.as('auditor'), 'audit')
  const narrowed = query(
    segments,
    where('orgId', '==', 'acme'),
    where('facets', 'array-contains', 'tool=search'),
    where('at', '>=', new Date(0)),
    where('at', '<=', new Date(1)),
    orderBy('at', 'desc'),
    orderBy('first', 'desc'),
  )
  expect((await getDocs(narrowed)).size).toBe(2)
})

it.each(['openings', 'tools', 'usage', 'secrets', 'members', 'idempotency'])(
  'lets nobody read %s across the database',
  async (name) => {
    for (const role of ROLES) {
      const all = collectionGroup(world.as(role), name)
      expect([role, await allowed(getDocs(query(all, where('orgId', '==', 'acme'))))]).toEqual([role, false])
    }
  },
)

describe('membership', () => {
  it('cannot be taken by oneself', async () => {
    for (const role of ROLES) {
      const db = world.as(role)
      expect([role, await allowed(setDoc(doc(db, 'orgs/acme/members', role), { role: 'owner' }))]).toEqual([
        role,
        false,
      ])
      const own = doc(db, 'orgs', `of-${role}`)
      const batch = writeBatch(db)
        .set(own, { name: 'mine' })
        .set(doc(own, 'members', role), { role: 'owner' })
      expect([role, await allowed(batch.commit())]).toEqual([role, false])
    }
  })

  it('is what counts: who owns an agent but has left the org reads none of it', async () => {
    await world.seed('agents/orphan', { orgId: 'acme', ownerUid: 'leaver' })
    await world.seed('agents/orphan/tools/search', { enabled: true })
    const db = world.signedInAs('leaver')
    expect(await allowed(getDoc(doc(db, 'agents/orphan')))).toBe(false)
    expect(await allowed(getDocs(collection(db, 'agents/orphan/tools')))).toBe(false)
    expect(
      await allowed(
        getDocs(query(collection(db, 'agents'), where('orgId', '==', 'acme'), where('ownerUid', '==', 'leaver'))),
      ),
    ).toBe(false)
  })

  it.each([
    ['of an unknown role', { role: 'root' }],
    ['without a role', {}],
    ['with a list of roles', { role: ['owner'] }],
  ])('%s opens nothing', async (_, data) => {
    await world.seed('orgs/acme/members/odd', data)
    const db = world.signedInAs('odd')
    for (const path of ['orgs/acme', 'orgs/acme/teams/core', 'orgs/acme/audit/0000000000000000', 'agents/scout']) {
      expect([path, await allowed(getDoc(doc(db, path)))]).toEqual([path, false])
    }
  })

  it('as auditor does not open the agent that an auditor owns', async () => {
    await world.seed('agents/audited', { orgId: 'acme', ownerUid: 'auditor', keyHash: '00' })
    expect(await allowed(getDoc(doc(world.as('auditor'), 'agents/audited')))).toBe(false)
  })

  it('names the org of the document, not of the path it is asked under', async () => {
    await world.seed('orgs/globex/members/owner', { role: 'auditor' })
    expect(await allowed(getDoc(doc(world.as('owner'), 'orgs/globex/audit/0000000000000000')))).toBe(true)
    expect(await allowed(getDoc(doc(world.as('owner'), 'orgs/globex/teams/core')))).toBe(false)
    await world.seed('orgs/globex/members/owner', {})
  })
})

it('denies what lies below a readable document', async () => {
  await world.seed('agents/scout/tools/search/secrets/s', { orgId: 'acme' })
  await world.seed('orgs/acme/teams/core/secrets/s', { orgId: 'acme' })
  for (const role of ROLES) {
    expect([role, await allowed(getDoc(doc(world.as(role), 'agents/scout/tools/search/secrets/s')))]).toEqual([
      role,
      false,
    ])
    expect([role, await allowed(getDoc(doc(world.as(role), 'orgs/acme/teams/core/secrets/s')))]).toEqual([role, false])
  }
})

/** Whether the rules allow the attempt; any other failure fails the test. */
async function allowed(attempt: Promise<unknown>): Promise<boolean> {
  try {
    await attempt
    return true
  } catch (error) {
    if (error instanceof FirebaseError && error.code === 'permission-denied') return false
    throw error
  }
}
