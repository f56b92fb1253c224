import { expect, it } from 'vitest'
import { checkChain } from './chain.ts'
import { admin, db, done, failed, newAgent, newOwner } from './world.ts'

it('[identity.members] are appointed, changed and removed by those who may, on record', async () => {
  const [owner, other, auditor] = await Promise.all([newOwner(), newOwner(), newOwner()])
  const agent = await newAgent(owner)
  const orgId = owner.uid
  const set = (by: typeof owner, uid: string, role: string | null) => admin('setMember', { orgId, uid, role }, by)
  const reads = (by: typeof owner) => admin('listAudit', { orgId }, by)

  // A stranger neither sees the organization nor appoints members.
  await failed(reads(auditor), 'org_not_found')
  await failed(set(other, other.uid, 'owner'), 'org_not_found')

  expect(await done(set(owner, auditor.uid, 'auditor'))).toEqual({ orgId, uid: auditor.uid, role: 'auditor' })
  await done(reads(auditor))
  await failed(set(auditor, other.uid, 'member'), 'permission_denied')
  await failed(admin('disableAgent', { agentId: agent.id, disabled: true }, auditor), 'agent_not_found')

  // An admin appoints members and auditors, but neither appoints nor removes admins and owners.
  await done(set(owner, other.uid, 'admin'))
  await done(set(other, auditor.uid, 'member'))
  await failed(set(other, auditor.uid, 'admin'), 'permission_denied')
  await failed(set(other, owner.uid, null), 'permission_denied')
  await done(set(other, auditor.uid, null))
  await failed(reads(auditor), 'org_not_found')

  // Nobody changes their own role: an organization keeps an owner.
  await failed(set(owner, owner.uid, null), 'permission_denied')
  await failed(set(other, other.uid, 'owner'), 'permission_denied')
  await failed(admin('setMember', { orgId, uid: other.uid, role: 'king' }, owner), 'invalid_argument')

  const { entries } = await checkChain(`orgs/${orgId}`)
  expect(
    entries
      .filter(({ meta }) => meta['change'] === 'member.set')
      .map(({ actor, target, meta }) => [actor, target, meta['before'], meta['role']]),
  ).toEqual([
    [`user:${owner.uid}`, auditor.uid, 'none', 'auditor'],
    [`user:${owner.uid}`, other.uid, 'none', 'admin'],
    [`user:${other.uid}`, auditor.uid, 'auditor', 'member'],
    [`user:${other.uid}`, auditor.uid, 'member', 'none'],
  ])
  expect((await db().doc(`orgs/${orgId}/members/${auditor.uid}`).get()).exists).toBe(false)
})
