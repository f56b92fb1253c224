import { expect, test } from 'vitest'
import type { Sealed } from '@vitrine/core/policy/worker-protocol'
import { areOfUser } from './user-secrets.ts'

const whose = { orgId: 'acme', user: 'u1' }
const PREFIX = 'projects/p/databases/(default)/documents'
const sealed = (resource: string): Sealed => ({ enc: 'AAAA', kmsKey: 'k', resource })
const secret = (name: string) => ({ secretManager: name })

test.each([
  ['one of the user', sealed(`${PREFIX}/orgs/acme/secrets/user:u1:github_token#enc`)],
  ['one that Secret Manager keeps for the organization', secret('projects/p/secrets/vitrine-acme-mine')],
  ['a version of it', secret('projects/p/secrets/vitrine-acme-mine/versions/7')],
  ['a variable that the operator listed', { env: 'MINE' }],
])('takes %s', (_what, one) => {
  expect(areOfUser({ TOKEN: one }, whose)).toBe(true)
})

test.each([
  ['another user', `${PREFIX}/orgs/acme/secrets/user:u2:token#enc`],
  ['a user whose id begins alike', `${PREFIX}/orgs/acme/secrets/user:u1:x:token#enc`],
  ['a user whose id goes on', `${PREFIX}/orgs/acme/secrets/user:u12:token#enc`],
  ['another organization', `${PREFIX}/orgs/acme2/secrets/user:u1:token#enc`],
  ['a team', `${PREFIX}/orgs/acme/secrets/team:u1:token#enc`],
  ['the organization', `${PREFIX}/orgs/acme/secrets/org::token#enc`],
  ['an agent', `${PREFIX}/agents/a/tools/user:u1:token#authTokenEnc`],
  ['a document below', `${PREFIX}/orgs/acme/secrets/user:u1:token/more/x#enc`],
  ['another field', `${PREFIX}/orgs/acme/secrets/user:u1:token#other`],
  ['no field', `${PREFIX}/orgs/acme/secrets/user:u1:token-enc`],
  ['another database', 'projects/p/databases/other/documents/orgs/acme/secrets/user:u1:token#enc'],
  ['no name', `${PREFIX}/orgs/acme/secrets/user:u1:#enc`],
  ['a path within another', `projects/p/x/${PREFIX}/orgs/acme/secrets/user:u1:token#enc`],
  ['a path with more before', `/${PREFIX}/orgs/acme/secrets/user:u1:token#enc`],
  ['a line of its own', `${PREFIX}/orgs/x\n${PREFIX}/orgs/acme/secrets/user:u1:token#enc`],
  ['nothing', ''],
])('refuses what is bound to %s', (_what, resource) => {
  expect(areOfUser({ TOKEN: sealed(resource) }, whose)).toBe(false)
  expect(
    areOfUser({ MINE: sealed(`${PREFIX}/orgs/acme/secrets/user:u1:token#enc`), TOKEN: sealed(resource) }, whose),
  ).toBe(false)
})

test.each([
  'projects/p/secrets/vitrine-other-mine',
  'projects/p/secrets/vitrine-acme-2-mine',
  'projects/p/secrets/mine',
  'projects/p/secrets/vitrine-acme-mine/versions/1/more',
])('refuses %s', (name) => {
  expect(areOfUser({ TOKEN: secret(name) }, whose)).toBe(false)
})

test('without a user or a policy there are no secrets', () => {
  const mine = { TOKEN: sealed(`${PREFIX}/orgs/acme/secrets/user:u1:token#enc`) }
  expect(areOfUser(mine, { ...whose, user: undefined })).toBe(false)
  expect(
    areOfUser({ TOKEN: sealed(`${PREFIX}/orgs/acme/secrets/user:undefined:token#enc`) }, { ...whose, user: undefined }),
  ).toBe(false)
  expect(areOfUser(mine, { ...whose, orgId: null })).toBe(false)
  expect(areOfUser({}, { orgId: null, user: undefined })).toBe(true)
})
