import { randomBytes } from 'node:crypto'
import { beforeAll, afterAll, describe, expect, it } from 'vitest'
import { stack } from '../stack/stack.ts'
import { checkChain } from './chain.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import {
  admin,
  call,
  db,
  done,
  failed,
  invoke,
  newAgent,
  newAgentWith,
  newOwner,
  register,
  usageOf,
  type Agent,
} from './world.ts'

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.close())

/** One valid request per function that agents call. */
const AS_AGENT = { invokeTool: { name: 'tool', args: {} }, listTools: {}, getToolCredential: { name: 'tool' } }

function asAgent(bearer: string) {
  return Object.entries(AS_AGENT).map(([name, data]) => call(name, data, { bearer }))
}

describe("an agent's key", () => {
  it('[identity.rotate] fails at once after a rotation, also while it is in use', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    for (let i = 0; i < 3; i++) {
      const using = Array.from({ length: 10 }, () => invoke(agent))
      const { key } = await done<{ key: string }>(admin('rotateAgentKey', { agentId: agent.id }, agent.owner))
      for (const answer of asAgent(agent.key)) await failed(answer, 'invalid_key')
      await Promise.all(using)
      agent.key = key
      await done(invoke(agent))
    }
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.filter(({ action }) => action === 'key.rotate').map(({ meta }) => meta['keyVersion'])).toEqual([
      2, 3, 4,
    ])
  })

  it('[identity.rotate] is one of two when two rotations race: both callers hear of different versions', async () => {
    const agent = await newAgent()
    const keys = await Promise.all(
      [1, 2].map(() => done<{ key: string }>(admin('rotateAgentKey', { agentId: agent.id }, agent.owner))),
    )
    const statuses = await Promise.all(
      keys.map(async ({ key }) => (await call('listTools', {}, { bearer: key })).status),
    )
    expect(statuses.sort()).toEqual([200, 401])
    expect((await checkChain(`agents/${agent.id}`)).entries.map(({ meta }) => meta['keyVersion'])).toEqual([1, 2, 3])
  })

  it('[identity.disabled] of a disabled agent does nothing, on record, until it is enabled', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/disabled`)
    await done(admin('disableAgent', { agentId: agent.id, disabled: true }, agent.owner))
    for (const answer of asAgent(agent.key)) await failed(answer, 'agent_disabled')
    expect(upstream.at('/ok/disabled')).toEqual([])
    await done(admin('disableAgent', { agentId: agent.id, disabled: false }, agent.owner))
    await done(invoke(agent))
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.map(({ action }) => action).sort()).toEqual([
      'agent.disable',
      'agent.enable',
      'key.create',
      'tool.deny',
      'tool.deny',
      'tool.invoke',
      'tool.invoke.intent',
      'tool.register',
    ])
    expect(await usageOf(agent)).toMatchObject({ invoked: 1 })
  })

  it('[identity.malformed] is told apart from an unknown one only by its checksum', async () => {
    const agent = await newAgent()
    const [kind, id, secret] = agent.key.split('.') as [string, string, string]
    const flipped = secret.slice(0, 5) + (secret[5] === 'A' ? 'B' : 'A') + secret.slice(6)
    const malformed = [
      `${kind}.${id}.${flipped}`,
      `${kind}.${id}.${secret}x`,
      `${kind}.${id}`,
      `${kind}..${secret}`,
      `${kind}.a/b.${secret}`,
      `${kind}.${id}.`,
      'x',
      `root.${id}.${secret}`,
    ]
    for (const key of malformed) for (const answer of asAgent(key)) await failed(answer, 'malformed_key')
    for (const header of [undefined, '', 'a b'])
      await failed(
        call('invokeTool', AS_AGENT.invokeTool, header === undefined ? {} : { bearer: header }),
        'unauthenticated',
      )
    // Well-formed keys that were never issued, and another agent's secret with this id.
    const other = await newAgent()
    for (const key of [`${kind}.agt_nobody.${secret}`, `${kind}.${id}.${other.key.split('.')[2]}`]) {
      for (const answer of asAgent(key)) await failed(answer, 'invalid_key')
    }
    expect((await checkChain(`agents/${agent.id}`)).entries).toHaveLength(1)
  })

  it('[identity.kinds] is no use to owners, nor an owner key or ID token to agents', async () => {
    const agent = await newAgent()
    const { key } = await done<{ key: string }>(admin('createOwnerKey', { label: 'ci' }, agent.owner))
    for (const bearer of [key, agent.owner.bearer])
      for (const answer of asAgent(bearer)) await failed(answer, 'permission_denied')
    for (const operation of ['createAgent', 'rotateAgentKey', 'setQuota', 'listAudit', 'createOwnerKey']) {
      await failed(call(`admin/${operation}`, {}, { bearer: agent.key }), 'permission_denied')
    }
  })
})

describe("another organization's agent", () => {
  it('[identity.other-org] looks to a stranger as if it did not exist, in every operation', async () => {
    const [agent, stranger] = [await newAgentWith(`${upstream.origin}/ok`), await newOwner()]
    await newAgent(stranger)
    const operations: Record<string, object> = {
      rotateAgentKey: {},
      disableAgent: { disabled: true },
      setToolEnabled: { name: 'tool', enabled: false },
      setCredentialAccess: { name: 'tool', allowed: true },
      listTools: {},
      getUsage: {},
      listAudit: {},
      reconcile: {},
    }
    for (const [operation, data] of Object.entries(operations)) {
      const [foreign, none] = await Promise.all(
        [agent.id, 'agt_none'].map((agentId) =>
          failed(admin(operation, { ...data, agentId }, stranger), 'agent_not_found'),
        ),
      )
      expect(foreign).toEqual(none)
    }
    for (const orgId of [agent.owner.uid, 'none']) {
      await failed(admin('listAudit', { orgId }, stranger), 'org_not_found')
      await failed(admin('createAgent', { name: 'Spy', orgId }, stranger), 'org_not_found')
      await failed(admin('createOwnerKey', { label: 'spy', orgId }, stranger), 'org_not_found')
      await failed(admin('setQuota', { orgId, monthlyInvocations: 0 }, stranger), 'org_not_found')
    }
    await failed(admin('setQuota', { ownerUid: agent.owner.uid, monthlyInvocations: 0 }, stranger), 'permission_denied')
    await done(invoke(agent))
  })

  it('[identity.other-org] has tools of its own under the same names', async () => {
    const agents = await Promise.all(['a', 'b'].map((path) => newAgentWith(`${upstream.origin}/ok/${path}`)))
    for (const agent of agents) await done(invoke(agent))
    expect([upstream.at('/ok/a').length, upstream.at('/ok/b').length]).toEqual([1, 1])
  })

  it('[identity.auditor] is open to its auditors, for reading alone', async () => {
    const [agent, auditor] = [await newAgentWith(`${upstream.origin}/ok`), await newOwner()]
    const orgId = agent.owner.uid
    await db().doc(`orgs/${orgId}/members/${auditor.uid}`).set({ role: 'auditor' })
    const { entries } = await done<{ entries: object[] }>(admin('listAudit', { agentId: agent.id }, auditor))
    expect(entries).toHaveLength(2)
    await done(admin('listAudit', { orgId }, auditor))
    await failed(admin('rotateAgentKey', { agentId: agent.id }, auditor), 'agent_not_found')
    await failed(admin('createAgent', { name: 'Bot', orgId }, auditor), 'permission_denied')
    await failed(admin('setQuota', { orgId, monthlyInvocations: 1 }, auditor), 'permission_denied')
    await failed(
      call(
        'registerTool',
        { agentId: agent.id, name: 'tool', kind: 'http', url: upstream.origin },
        { bearer: auditor.bearer },
      ),
      'agent_not_found',
    )
  })
})

describe('owners', () => {
  it('[identity.owner-key] sign in with an ID token or an owner key, which fails once it is revoked', async () => {
    const agent = await newAgent()
    const { keyId, key } = await done<{ keyId: string; key: string }>(
      admin('createOwnerKey', { label: 'ci' }, agent.owner),
    )
    const byKey: Agent = { ...agent, owner: { ...agent.owner, bearer: key } }
    await register(byKey, { url: `${upstream.origin}/ok` })
    await done(invoke(agent))
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries[1]).toMatchObject({ actor: `user:${agent.owner.uid}`, meta: { key: keyId } })

    await failed(admin('revokeOwnerKey', { keyId }, await newOwner()), 'key_not_found')
    await done(admin('revokeOwnerKey', { keyId }, agent.owner))
    await failed(admin('listTools', { agentId: agent.id }, byKey.owner), 'invalid_key')
    await failed(admin('revokeOwnerKey', { keyId: 'key_none' }, agent.owner), 'key_not_found')
    expect((await checkChain(`orgs/${agent.owner.uid}`)).entries.map(({ action }) => action)).toEqual([
      'policy.update',
      'key.create',
      'key.revoke',
    ])
  })

  it('[identity.forged] are not believed on a token that nobody signed', async () => {
    const agent = await newAgent()
    const { project } = stack()
    const nowS = Math.floor(Date.now() / 1000)
    const claims = {
      iss: `https://securetoken.google.com/${project}`,
      aud: project,
      sub: agent.owner.uid,
      user_id: agent.owner.uid,
      auth_time: nowS,
      iat: nowS,
      exp: nowS + 3600,
    }
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const [header, payload] = agent.owner.bearer.split('.') as [string, string]
    const forged = {
      'of another project': `${part({ alg: 'none', typ: 'JWT' })}.${part({ ...claims, aud: 'other', iss: 'https://securetoken.google.com/other' })}.`,
      expired: `${part({ alg: 'none', typ: 'JWT' })}.${part({ ...claims, iat: nowS - 7200, exp: nowS - 3600 })}.`,
      'of nobody': `${part({ alg: 'none', typ: 'JWT' })}.${part({ ...claims, sub: 'nobody', user_id: 'nobody' })}.`,
      'not JSON': `${header}.${randomBytes(60).toString('base64url')}.`,
      'with a made-up signature': `${part({ alg: 'RS256', kid: 'x', typ: 'JWT' })}.${payload}.${randomBytes(64).toString('base64url')}`,
    }
    for (const [what, token] of Object.entries(forged)) {
      const { status, body } = await call('admin/listTools', { agentId: agent.id }, { bearer: token })
      expect([status, body], what).toMatchObject([
        401,
        { error: { details: { code: expect.stringMatching(/^(invalid|malformed)_key$/) as unknown } } },
      ])
    }
  })
})
