import { expect, it } from 'vitest'
import { checkChain } from '../e2e/chain.ts'
import { admin, db, documentsBelow, done, failed, leaks, newOwner, newSecret } from '../e2e/world.ts'
import { elsewhere, stack } from '../stack/stack.ts'
import { connect, newOrg, newPolicy, newTeam, server } from './world.ts'

it('[secrets.sealed] keeps a value as ciphertext bound to its own document, and shows it to nobody', async () => {
  const owner = await newOwner()
  const value = newSecret()
  expect(await done(admin('putSecret', { scope: 'org', name: 'api', value }, owner))).toEqual({
    scope: 'org',
    name: 'api',
    created: true,
  })
  const doc = (await db().doc(`orgs/${owner.uid}/secrets/org::api`).get()).data()!
  expect(Object.keys(doc).sort()).toEqual([
    'createdAt',
    'enc',
    'kmsKey',
    'name',
    'orgId',
    'owner',
    'scope',
    'updatedAt',
  ])
  expect(leaks(await documentsBelow(db().doc(`orgs/${owner.uid}`)))).toEqual([])

  const { key } = await newPolicy(
    [server('a', { env: [{ name: 'API', source: 'org_secret', secret: 'api' }] })],
    {},
    owner,
  )
  const { policy } = await connect(key)
  expect(policy.servers[0]!.env).toEqual([
    {
      name: 'API',
      secret: 'api',
      sealed: {
        enc: expect.stringMatching(/^[A-Za-z0-9+/=]+$/),
        kmsKey: doc['kmsKey'],
        resource: `projects/${stack().project}/databases/(default)/documents/orgs/${owner.uid}/secrets/org::api#enc`,
      },
    },
  ])
  const replaced = newSecret()
  expect(await done(admin('putSecret', { scope: 'org', name: 'api', value: replaced }, owner))).toMatchObject({
    created: false,
  })
  expect((await connect(key)).policy.version).toBeGreaterThan(policy.version)
  expect(await done(admin('listSecrets', {}, owner))).toEqual({ secrets: [{ scope: 'org', name: 'api' }] })
  await done(admin('deleteSecret', { scope: 'org', name: 'api' }, owner))
  await failed(admin('deleteSecret', { scope: 'org', name: 'api' }, owner), 'secret_not_found')
  expect((await connect(key)).policy.servers[0]!.env).toEqual([
    { name: 'API', secret: 'api', missing: expect.stringContaining('admin/putSecret, scope "org", name "api"') },
  ])
  expect(leaks()).toEqual([])
  const { entries } = await checkChain(`orgs/${owner.uid}`)
  expect(
    entries
      .filter(({ action }) => action.startsWith('secret.'))
      .map(({ action, target, meta }) => [action, target, meta['scope'], meta['form'], meta['created']]),
  ).toEqual([
    ['secret.put', 'api', 'org', 'kms', true],
    ['secret.put', 'api', 'org', 'kms', false],
    ['secret.delete', 'api', 'org', undefined, undefined],
  ])
  expect(leaks(entries.map((entry) => JSON.stringify(entry)))).toEqual([])
})

it('[secrets.scopes] belong to the organization, a team or a user', async () => {
  const org = await newOrg()
  const { orgId } = org
  const teamId = await newTeam(org.owner)
  const put = (by: typeof org.owner, data: object) =>
    admin('putSecret', { orgId, name: 's', value: newSecret(), ...data }, by)
  await done(put(org.owner, { scope: 'org' }))
  await done(put(org.admin, { scope: 'team', team: teamId }))
  for (const by of [org.owner, org.member]) await done(put(by, { scope: 'user' }))
  for (const data of [{ scope: 'org' }, { scope: 'team', team: teamId }]) {
    await failed(put(org.member, data), 'permission_denied')
    await failed(admin('deleteSecret', { orgId, name: 's', ...data }, org.member), 'permission_denied')
    await failed(put(org.stranger, data), 'org_not_found')
  }
  await failed(put(org.auditor, { scope: 'user' }), 'permission_denied')
  await failed(put(org.stranger, { scope: 'user' }), 'org_not_found')
  await failed(put(org.owner, { scope: 'team', team: 'team_none' }), 'team_not_found')
  await failed(put(org.owner, { scope: 'team' }), 'invalid_argument')
  await failed(put(org.owner, { scope: 'org', team: teamId }), 'invalid_argument')
  // A request cannot name another user: the token says who the user is.
  await failed(put(org.owner, { scope: 'user', user: org.member.uid }), 'invalid_argument')

  const list = async (by: typeof org.owner) =>
    (await done<{ secrets: object[] }>(admin('listSecrets', { orgId }, by))).secrets
  const all = [
    { scope: 'org', name: 's' },
    { scope: 'team', team: teamId, name: 's' },
  ]
  expect(await list(org.owner)).toEqual([...all, { scope: 'user', name: 's' }])
  expect(await list(org.admin)).toEqual(all)
  expect(await list(org.member)).toEqual([{ scope: 'user', name: 's' }])
  await failed(admin('listSecrets', { orgId }, org.stranger), 'org_not_found')
  await done(admin('deleteSecret', { orgId, scope: 'user', name: 's' }, org.member))
  expect(await list(org.owner)).toHaveLength(3)
})

it('[secrets.forms] takes exactly one form, of what the operator and the organization may name', async () => {
  const owner = await newOwner()
  const orgId = owner.uid
  const put = (data: object) => admin('putSecret', { scope: 'org', name: 's', ...data }, owner)
  const { project } = stack()
  await failed(put({}), 'invalid_argument')
  await failed(put({ value: 'x', env: 'X' }), 'invalid_argument')
  await failed(put({ value: 'x', enc: 'x' }), 'invalid_argument')
  await failed(put({ env: 'GOOGLE_APPLICATION_CREDENTIALS' }), 'invalid_argument')
  const ours = `projects/${project}/secrets/vitrine-${orgId}-db`
  for (const secretManager of [
    'db',
    `projects/other/secrets/vitrine-${orgId}-db`,
    `projects/${project}/secrets/db`,
    `projects/${project}/secrets/vitrine-${orgId}x-db`,
    `projects/${project}/secrets/vitrine-${orgId}-`,
    `${ours}-of-another-org`,
    `${ours}/../other`,
    `${ours}/versions/0`,
    `${ours}/versions/latest/x`,
    `${ours}\n`,
  ]) {
    expect((await failed(put({ secretManager }), 'invalid_argument')).details['field']).toBe('secretManager')
  }
  for (const secretManager of [ours, `${ours}/versions/3`, `${ours}/versions/latest`])
    await done(put({ secretManager }))
  const doc = (await db().doc(`orgs/${orgId}/secrets/org::s`).get()).data()!
  expect(Object.keys(doc).sort()).toEqual([
    'createdAt',
    'name',
    'orgId',
    'owner',
    'scope',
    'secretManager',
    'updatedAt',
  ])

  // A new form replaces the old one completely.
  await done(put({ value: newSecret() }))
  expect((await db().doc(`orgs/${orgId}/secrets/org::s`).get()).data()).not.toHaveProperty('secretManager')
  await done(admin('putSecret', { scope: 'org', name: 's', env: 'BRAVE_API_KEY' }, owner, elsewhere()))
  await failed(
    admin('putSecret', { scope: 'org', name: 's', env: 'BRAVE_API_KEY2' }, owner, elsewhere()),
    'invalid_argument',
  )
  expect((await db().doc(`orgs/${orgId}/secrets/org::s`).get()).data()).toMatchObject({ env: 'BRAVE_API_KEY' })
  const { key } = await newPolicy(
    [server('a', { env: [{ name: 'API', source: 'org_secret', secret: 's' }] })],
    {},
    owner,
  )
  expect((await connect(key)).policy.servers[0]!.env).toEqual([
    { name: 'API', secret: 's', sealed: { env: 'BRAVE_API_KEY' } },
  ])
})

it('[secrets.input] refuses what cannot be a value or a name', async () => {
  const owner = await newOwner()
  const put = (data: object) => admin('putSecret', { scope: 'org', name: 's', ...data }, owner)
  await failed(put({ value: '' }), 'invalid_argument')
  await failed(put({ value: 'a\0b' }), 'invalid_argument')
  await failed(put({ value: 'x'.repeat(8 * 1024 + 1) }), 'token_too_large')
  await done(put({ value: 'x'.repeat(8 * 1024) }))
  for (const name of ['', 'a:b', 'user:u:x', '../x', 'a/b', 'x'.repeat(129)])
    await failed(put({ name, value: 'x' }), 'invalid_argument')
  await failed(put({ scope: 'world', value: 'x' }), 'invalid_argument')
  await failed(put({ scope: 'team', team: 'a:b', value: 'x' }), 'invalid_argument')
})
