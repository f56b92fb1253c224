import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { reveal } from '../../test/sdk/reveal.ts'
import { testKey } from '../../test/sdk/test-key.ts'
import { result, startWireServer, type WireServer } from '../../test/sdk/wire-server.ts'
import { Vitrine } from './index.ts'

let wire: WireServer
let vitrine: Vitrine
const key = testKey()

beforeAll(async () => {
  wire = await startWireServer()
  vitrine = new Vitrine({ baseUrl: `${wire.url}/base/`, key })
})
beforeEach(() => {
  wire.requests = []
})
afterAll(() => wire.close())

interface Operation {
  path: string
  data: object
  answer: object
  run: (vitrine: Vitrine) => Promise<unknown>
}

const HASH = 'ab'.repeat(32)
const receipt = { log: 'agents/a1', seq: 3, hash: 'ab' }
const proven = { entry: { seq: 3 }, proof: 'c2sp.org/tlog-proof@v1', checkpointSize: 5 }
const tool = { name: 'search', kind: 'http', url: 'https://example.com', manifest: null }
const registration = {
  agentId: 'a1',
  name: 'search',
  kind: 'http',
  url: 'https://example.com',
  authToken: null,
} as const
const operations: Operation[] = [
  {
    path: 'registerTool',
    data: registration,
    answer: { ...tool, created: true },
    run: (v) => v.tools.register(registration),
  },
  { path: 'listTools', data: {}, answer: { tools: [tool] }, run: (v) => v.tools.list() },
  {
    path: 'invokeTool',
    data: { name: 'search', args: { q: 'x' }, timeoutMs: 30_000, idempotencyKey: 'i1' },
    answer: { status: 503, ok: false, result: 'busy', receipt: { ...receipt, pending: true } },
    run: (v) => v.tools.invoke({ name: 'search', args: { q: 'x' }, timeoutMs: 30_000, idempotencyKey: 'i1' }),
  },
  {
    path: 'getToolCredential',
    data: { name: 'search' },
    answer: { token: 't' },
    run: (v) => v.tools.getCredential({ name: 'search' }),
  },
  {
    path: 'admin/setToolEnabled',
    data: { agentId: 'a1', name: 'search', enabled: false },
    answer: { name: 'search', enabled: false },
    run: (v) => v.tools.setEnabled({ agentId: 'a1', name: 'search', enabled: false }),
  },
  {
    path: 'admin/setCredentialAccess',
    data: { agentId: 'a1', name: 'search', allowed: false },
    answer: { agentId: 'a1', name: 'search', allowed: false },
    run: (v) => v.tools.setCredentialAccess({ agentId: 'a1', name: 'search', allowed: false }),
  },
  {
    path: 'admin/setCredentialAccess',
    data: { orgId: 'o1', allowed: true },
    answer: { orgId: 'o1', allowed: true },
    run: (v) => v.tools.setCredentialAccess({ orgId: 'o1', allowed: true }),
  },
  {
    path: 'admin/setMember',
    data: { orgId: 'o1', uid: 'u2', role: null },
    answer: { orgId: 'o1', uid: 'u2', role: null },
    run: (v) => v.members.set({ orgId: 'o1', uid: 'u2', role: null }),
  },
  {
    path: 'admin/listTools',
    data: { agentId: 'a1' },
    answer: { tools: [] },
    run: (v) => v.tools.listAll({ agentId: 'a1' }),
  },
  {
    path: 'admin/createAgent',
    data: { name: 'Bot', orgId: 'o1', allowedTools: ['search'] },
    answer: { agentId: 'a2', key: 'k' },
    run: (v) => v.agents.create({ name: 'Bot', orgId: 'o1', allowedTools: ['search'] }),
  },
  {
    path: 'admin/rotateAgentKey',
    data: { agentId: 'a1' },
    answer: { key: 'k' },
    run: (v) => v.agents.rotateKey({ agentId: 'a1' }),
  },
  {
    path: 'admin/disableAgent',
    data: { agentId: 'a1', disabled: true },
    answer: { agentId: 'a1', disabled: true },
    run: (v) => v.agents.disable({ agentId: 'a1' }),
  },
  {
    path: 'admin/disableAgent',
    data: { agentId: 'a1', disabled: false },
    answer: { agentId: 'a1', disabled: false },
    run: (v) => v.agents.enable({ agentId: 'a1' }),
  },
  {
    path: 'admin/createOwnerKey',
    data: { label: 'ci' },
    answer: { keyId: 'k1', key: 'k' },
    run: (v) => v.keys.create({ label: 'ci' }),
  },
  {
    path: 'admin/revokeOwnerKey',
    data: { keyId: 'k1' },
    answer: { keyId: 'k1' },
    run: (v) => v.keys.revoke({ keyId: 'k1' }),
  },
  {
    path: 'admin/setQuota',
    data: { monthlyInvocations: 5 },
    answer: { limit: 5, used: 1, resetsAt: '2026-02-01T00:00:00.000Z' },
    run: (v) => v.quota.set({ monthlyInvocations: 5 }),
  },
  {
    path: 'admin/getUsage',
    data: { agentId: 'a1', month: '2026-01' },
    answer: { month: '2026-01', invoked: 4, credited: 1, limit: 5 },
    run: (v) => v.quota.usage({ agentId: 'a1', month: '2026-01' }),
  },
  {
    path: 'admin/createPolicy',
    data: {
      name: 'Tools',
      teams: ['t1'],
      builtins: { web_fetch: true },
      servers: [{ slug: 'github', package: 'g', env: [{ name: 'A', source: 'org_secret', secret: 's' }] }],
    },
    answer: { policyId: 'p1', key: 'k' },
    run: (v) =>
      v.policies.create({
        name: 'Tools',
        teams: ['t1'],
        builtins: { web_fetch: true },
        servers: [{ slug: 'github', package: 'g', env: [{ name: 'A', source: 'org_secret', secret: 's' }] }],
      }),
  },
  {
    path: 'admin/getPolicy',
    data: { policyId: 'p1' },
    answer: { policy: {}, servers: [], workers: [] },
    run: (v) => v.policies.get({ policyId: 'p1' }),
  },
  { path: 'admin/listPolicies', data: {}, answer: { policies: [] }, run: (v) => v.policies.list({}) },
  {
    path: 'admin/updatePolicy',
    data: { policyId: 'p1', name: 'New', version: 2 },
    answer: { policyId: 'p1', version: 3 },
    run: (v) => v.policies.update({ policyId: 'p1', name: 'New', version: 2 }),
  },
  {
    path: 'admin/deletePolicy',
    data: { policyId: 'p1' },
    answer: { policyId: 'p1' },
    run: (v) => v.policies.delete({ policyId: 'p1' }),
  },
  {
    path: 'admin/assignPolicy',
    data: { policyId: 'p1', teams: [] },
    answer: { policyId: 'p1', version: 2 },
    run: (v) => v.policies.assign({ policyId: 'p1', teams: [] }),
  },
  {
    path: 'admin/regeneratePolicyKey',
    data: { policyId: 'p1' },
    answer: { key: 'k' },
    run: (v) => v.policies.regenerateKey({ policyId: 'p1' }),
  },
  {
    path: 'admin/importServer',
    data: { policyId: 'p1', serverJson: { name: 'x' }, sources: { A: { source: 'user_secret', secret: 's' } } },
    answer: { server: {}, policyId: 'p1', version: 2 },
    run: (v) =>
      v.policies.importServer({
        policyId: 'p1',
        serverJson: { name: 'x' },
        sources: { A: { source: 'user_secret', secret: 's' } },
      }),
  },
  {
    path: 'admin/moveServerPin',
    data: { policyId: 'p1', slug: 'github', version: 'latest' },
    answer: { policyId: 'p1', version: 2 },
    run: (v) => v.policies.moveServerPin({ policyId: 'p1', slug: 'github', version: 'latest' }),
  },
  {
    path: 'admin/getServerManifest',
    data: { policyId: 'p1', slug: 'github' },
    answer: { slug: 'github', manifest: null, manifestHash: null, pending: null, pendingHash: null },
    run: (v) => v.policies.getServerManifest({ policyId: 'p1', slug: 'github' }),
  },
  {
    path: 'admin/approveServerManifest',
    data: { policyId: 'p1', slug: 'github', manifestHash: HASH },
    answer: { policyId: 'p1', slug: 'github', manifestHash: HASH },
    run: (v) => v.policies.approveServerManifest({ policyId: 'p1', slug: 'github', manifestHash: HASH }),
  },
  {
    path: 'admin/putSecret',
    data: { scope: 'team', team: 't1', name: 's', value: 'v' },
    answer: { scope: 'team', team: 't1', name: 's', created: true },
    run: (v) => v.secrets.put({ scope: 'team', team: 't1', name: 's', value: 'v' }),
  },
  {
    path: 'admin/listSecrets',
    data: { orgId: 'o1' },
    answer: { secrets: [] },
    run: (v) => v.secrets.list({ orgId: 'o1' }),
  },
  {
    path: 'admin/deleteSecret',
    data: { scope: 'user', name: 's' },
    answer: { scope: 'user', name: 's' },
    run: (v) => v.secrets.delete({ scope: 'user', name: 's' }),
  },
  {
    path: 'admin/applyManifest',
    data: { agentId: 'a1', manifest: 'tools: []' },
    answer: { agentId: 'a1', tools: [] },
    run: (v) => v.agents.applyManifest({ agentId: 'a1', manifest: 'tools: []' }),
  },
  {
    path: 'admin/createTeam',
    data: { name: 'Core' },
    answer: { teamId: 't1' },
    run: (v) => v.teams.create({ name: 'Core' }),
  },
  { path: 'admin/listTeams', data: {}, answer: { teams: [] }, run: (v) => v.teams.list({}) },
  {
    path: 'admin/deleteTeam',
    data: { teamId: 't1' },
    answer: { teamId: 't1' },
    run: (v) => v.teams.delete({ teamId: 't1' }),
  },
  {
    path: 'admin/setAgentTeams',
    data: { agentId: 'a1', teams: ['t1'] },
    answer: { agentId: 'a1', teams: ['t1'] },
    run: (v) => v.agents.setTeams({ agentId: 'a1', teams: ['t1'] }),
  },
  {
    path: 'admin/listAudit',
    data: {
      orgId: 'o1',
      tool: 'search',
      action: 'tool.invoke',
      actor: 'agent:a1',
      outcome: 'ok',
      from: '2026-01-01T00:00:00Z',
      pageSize: 10,
    },
    answer: { entries: [], nextPageToken: null },
    run: (v) =>
      v.audit.list({
        orgId: 'o1',
        tool: 'search',
        action: 'tool.invoke',
        actor: 'agent:a1',
        outcome: 'ok',
        from: '2026-01-01T00:00:00Z',
        pageSize: 10,
      }),
  },
  { path: 'getReceipt', data: { seq: 0 }, answer: proven, run: (v) => v.audit.getReceipt({ seq: 0 }) },
  {
    path: 'admin/getReceipt',
    data: { agentId: 'a1', seq: 3 },
    answer: proven,
    run: (v) => v.audit.getReceipt({ agentId: 'a1', seq: 3 }),
  },
  {
    path: 'admin/getReceipt',
    data: { orgId: 'o1', seq: 3 },
    answer: proven,
    run: (v) => v.audit.getReceipt({ orgId: 'o1', seq: 3 }),
  },
  {
    path: 'admin/checkpoint',
    data: { orgId: 'o1' },
    answer: { log: 'orgs/o1', size: 2, root: 'ab', note: 'n', vkey: 'v' },
    run: (v) => v.audit.checkpoint({ orgId: 'o1' }),
  },
  {
    path: 'admin/signingKeys',
    data: {},
    answer: { keys: [{ name: 'k', publicKey: 'p', pem: '-' }] },
    run: (v) => v.audit.signingKeys(),
  },
  {
    path: 'admin/reconcile',
    data: { agentId: 'a1' },
    answer: { closed: 2 },
    run: (v) => v.audit.reconcile({ agentId: 'a1' }),
  },
  {
    path: 'admin/getOpening',
    data: { agentId: 'a1', seq: 2 },
    answer: { salt: 'ab', args: '{}' },
    run: (v) => v.audit.getOpening({ agentId: 'a1', seq: 2 }),
  },
  {
    path: 'admin/redact',
    data: { agentId: 'a1', seq: 2, reason: 'on request' },
    answer: { call: 'c1', receipt },
    run: (v) => v.audit.redact({ agentId: 'a1', seq: 2, reason: 'on request' }),
  },
]

describe('operations', () => {
  it.each(operations)('$path', async ({ path, data, answer, run }) => {
    wire.respond = result(answer)
    expect(await run(vitrine)).toEqual(answer)
    expect(wire.requests).toHaveLength(1)
    expect(wire.requests[0]).toMatchObject({ method: 'POST', path: `/base/${path}`, body: { data } })
    expect(wire.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
    })
    expect(wire.requests[0]?.headers.cookie).toBeUndefined()
  })

  it.each(operations)('$path refuses an answer without its fields', async ({ run }) => {
    wire.respond = result({})
    await expect(run(vitrine)).rejects.toMatchObject({ code: 'invalid_response', status: 200 })
  })

  it.each(operations.map(({ path, run }) => ({ path, run })))('$path honours an aborted signal', async ({ run }) => {
    // Each method takes the signal last; a proxy of the client puts it there.
    const signal = AbortSignal.abort('enough')
    await expect(run(withSignal(vitrine, signal))).rejects.toMatchObject({ code: 'aborted', cause: 'enough' })
    expect(wire.requests).toEqual([])
  })
})

describe('request', () => {
  it('makes any operation of the contract, checked like the methods', async () => {
    wire.respond = result({ agentId: 'a1', key: 'k' })
    expect(await vitrine.request('admin/createAgent', { name: 'Bot' })).toEqual({ agentId: 'a1', key: 'k' })
    expect(wire.requests).toMatchObject([{ path: '/base/admin/createAgent', body: { data: { name: 'Bot' } } }])
    await expect(vitrine.request('admin/createAgent', { name: '' })).rejects.toMatchObject({ code: 'invalid_argument' })
    expect(wire.requests).toHaveLength(1)
  })

  it('passes on what only a newer server knows', async () => {
    wire.respond = result({ made: true })
    const path = 'admin/makeRain' as 'admin/listTeams'
    expect(await vitrine.request(path, { orgId: 'o1' })).toEqual({ made: true })
    await expect(vitrine.request(path, { orgId: NaN as never })).rejects.toMatchObject({ code: 'invalid_argument' })
    expect(wire.requests).toMatchObject([{ path: '/base/admin/makeRain', body: { data: { orgId: 'o1' } } }])
  })
})

/** A client whose methods get the signal as their last argument, whatever they are called with. */
function withSignal(client: Vitrine, signal: AbortSignal): Vitrine {
  const wrap = (group: object) =>
    Object.fromEntries(
      Object.entries(group).map(([name, method]: [string, (...args: unknown[]) => unknown]) => [
        name,
        (...args: unknown[]) => method(...args, { signal }),
      ]),
    )
  return Object.fromEntries(
    Object.entries(client).map(([name, group]: [string, object]) => [name, wrap(group)]),
  ) as unknown as Vitrine
}

describe('the key', () => {
  it('shows in no log of the client', () => {
    const secret = key.split('.')[2]!
    expect(reveal(vitrine)).not.toContain(secret)
    expect(reveal({ ...vitrine })).not.toContain(secret)
  })
})
