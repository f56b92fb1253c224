import { afterAll, beforeAll, expect, it } from 'vitest'
import { ERRORS, type ErrorCode } from '@vitrine/core/errors'
import type { Answer } from '../../scripts/stack/rpc.ts'
import { freePorts } from '../../scripts/stack/ports.ts'
import { checkChain } from './chain.ts'
import { startFirestoreProxy, type FirestoreProxy } from './firestore-proxy.ts'
import { startFunctions, type Functions } from './functions.ts'
import { deadUrl, startUpstream, type Upstream } from './upstream.ts'
import {
  admin,
  call,
  db,
  done,
  invoke,
  newAgent,
  newAgentWith,
  newSecret,
  register,
  setLimit,
  type Agent,
} from './world.ts'

/**
 * Provokes every error code over plain HTTP and compares the answer with core/src/errors.ts. A code that no single
 * request can provoke names the test that covers it.
 */
type Provoke = () => Promise<Answer>
type Elsewhere = { elsewhere: string }

let upstream: Upstream
let proxy: FirestoreProxy
let agent: Agent
let ownerKey: string
/** Functions that reach Firestore through the proxy, neither KMS nor Auth, and no private addresses. */
let broken: Functions

beforeAll(async () => {
  upstream = await startUpstream()
  proxy = await startFirestoreProxy()
  const closed = `127.0.0.1:${(await freePorts(1))[0]}`
  broken = await startFunctions({
    FIRESTORE_EMULATOR_HOST: proxy.host,
    FIREBASE_AUTH_EMULATOR_HOST: closed,
    KMS_EMULATOR_HOST: closed,
    VITRINE_EGRESS_ALLOW: '',
  })
  agent = await newAgentWith(`${upstream.origin}/ok`, { authToken: newSecret() })
  ownerKey = (await done<{ key: string }>(admin('createOwnerKey', { label: 'ci' }, agent.owner))).key
})
afterAll(async () => {
  await broken.stop()
  await proxy.close()
  await upstream.close()
})

const toolAt = async (url: string, data: object = {}): Promise<Answer> => invoke(await newAgentWith(url), data)
const registering = (tool: object): Promise<Answer> =>
  call(
    'registerTool',
    { agentId: agent.id, name: 'other', kind: 'http', url: upstream.origin, ...tool },
    { bearer: agent.owner.bearer },
  )

/** Calls a policy's tool that needs a variable of its user. */
async function toolNeeding(source: object): Promise<Answer> {
  const of = await newAgent()
  await done(
    admin(
      'createPolicy',
      { name: 'Tools', servers: [{ slug: 'mine', package: 'mine', env: [{ name: 'TOKEN', ...source }] }] },
      of.owner,
    ),
  )
  return invoke(of, { name: 'mine__read' })
}

/** Makes a change while every commit is answered with this gRPC status. */
async function withCommits(status: number, provoke: Provoke): Promise<Answer> {
  proxy.fault('Commit', () => ({ status }))
  try {
    return await provoke()
  } finally {
    proxy.fault('Commit', () => undefined)
  }
}

const PROVOKED: Record<ErrorCode, Provoke | Elsewhere> = {
  invalid_json: () => call('invokeTool', null, { raw: '{' }),
  invalid_request: () => call('invokeTool', null, { raw: '{}' }),
  invalid_argument: () => invoke(agent, { args: [] }),
  invalid_name: () => invoke(agent, { name: 'No!' }),
  invalid_url: () => registering({ url: 'ftp://tools.example' }),
  blocked_url: () =>
    call(
      'registerTool',
      { agentId: agent.id, name: 'other', kind: 'http', url: 'http://169.254.169.254/' },
      { bearer: ownerKey, baseUrl: broken.baseUrl },
    ),
  args_too_large: () => invoke(agent, { args: { x: 'x'.repeat(300_000) } }),
  token_too_large: () => registering({ authToken: 'x'.repeat(9_000) }),
  request_too_large: () => invoke(agent, { args: { x: 'x'.repeat(1_100_000) } }),
  method_not_allowed: () => invoke(agent, {}, { method: 'PUT' }),
  unknown_operation: () => admin('none', {}, agent.owner),
  unauthenticated: () => call('invokeTool', { name: 'tool' }),
  malformed_key: () => call('invokeTool', { name: 'tool' }, { bearer: `${agent.key}x` }),
  invalid_key: async () => {
    const { key } = await newAgent()
    return call('invokeTool', { name: 'tool' }, { bearer: `agent.${agent.id}.${key.split('.')[2]}` })
  },
  permission_denied: () => call('invokeTool', { name: 'tool' }, { bearer: agent.owner.bearer }),
  agent_not_found: () => admin('listTools', { agentId: 'agt_none' }, agent.owner),
  agent_disabled: async () => {
    const disabled = await newAgent()
    await done(admin('disableAgent', { agentId: disabled.id, disabled: true }, disabled.owner))
    return invoke(disabled)
  },
  org_not_found: () => admin('listAudit', { orgId: 'none' }, agent.owner),
  key_not_found: () => admin('revokeOwnerKey', { keyId: 'none' }, agent.owner),
  tool_not_found: () => invoke(agent, { name: 'none' }),
  receipt_not_found: () => call('getReceipt', { seq: 1_000_000 }, { bearer: agent.key }),
  receipt_pending: () => call('getReceipt', { seq: 0 }, { bearer: agent.key }),
  opening_not_found: () => admin('getOpening', { agentId: agent.id, seq: 0 }, agent.owner),
  chain_broken: async () => {
    const tampered = await newAgentWith(upstream.origin)
    const segment = db().doc(`agents/${tampered.id}/audit/0000000000000001`)
    const [line] = (await segment.get()).data()!['entries'] as [string]
    await segment.update({ entries: [line.replace('"target":"', '"target":"another')] })
    return admin('checkpoint', { agentId: tampered.id }, tampered.owner)
  },
  no_credential: async () => {
    const bare = await newAgentWith(upstream.origin)
    return call('getToolCredential', { name: 'tool' }, { bearer: bare.key })
  },
  credential_access_disabled: async () => {
    const closed = await newAgentWith(upstream.origin, { authToken: newSecret(), credentialAccess: false })
    return call('getToolCredential', { name: 'tool' }, { bearer: closed.key })
  },
  policy_not_found: () => admin('getPolicy', { policyId: 'pol_none' }, agent.owner),
  server_not_found: async () => {
    const { policyId } = await done(admin('createPolicy', { name: 'Tools' }, agent.owner))
    return admin('getServerManifest', { policyId, slug: 'none' }, agent.owner)
  },
  team_not_found: () => admin('deleteTeam', { teamId: 'team_none' }, agent.owner),
  secret_not_found: () => admin('deleteSecret', { scope: 'org', name: 'none' }, agent.owner),
  slug_taken: async () => {
    const policy = { name: 'Tools', servers: [{ slug: 'taken', package: 'taken' }] }
    await done(admin('createPolicy', policy, agent.owner))
    return admin('createPolicy', policy, agent.owner)
  },
  pin_mismatch: async () => {
    const { key } = await done<{ key: string }>(
      admin(
        'createPolicy',
        { name: 'Tools', servers: [{ slug: 'pinned', package: 'pinned', version: '1.0.0' }] },
        agent.owner,
      ),
    )
    const pin = {
      version: '2.0.0',
      integrity: `sha512-${'A'.repeat(86)}==`,
      dependencies: 'a'.repeat(64),
      resolvedAt: '2026-01-02T03:04:05.678Z',
    }
    const data = { instanceId: 'w1', slug: 'pinned', ...pin, tools: [] }
    return call('worker/report', data, { bearer: key })
  },
  secret_missing: () => toolNeeding({ source: 'user_secret', secret: 'token' }),
  connection_required: () => toolNeeding({ source: 'oauth', provider: 'github' }),
  quota_exceeded: async () => {
    const poor = await newAgentWith(upstream.origin)
    await setLimit(poor.owner, 0)
    return invoke(poor)
  },
  args_invalid: { elsewhere: 'test/mcp/pins.test.ts: it takes an MCP server with a schema' },
  schema_unusable: { elsewhere: 'test/mcp/pins.test.ts' },
  manifest_changed: { elsewhere: 'test/mcp/pins.test.ts: it takes a server whose tools change' },
  manifest_not_found: () =>
    admin('approveManifest', { agentId: agent.id, name: 'tool', manifestHash: '0'.repeat(64) }, agent.owner),
  too_many_calls: { elsewhere: 'resilience.test.ts holds calls at their tool' },
  idempotency_key_reused: async () => {
    await done(invoke(agent, { idempotencyKey: 'one' }))
    return invoke(agent, { idempotencyKey: 'one', args: { other: true } })
  },
  call_running: async () => {
    const slow = await newAgentWith(`${upstream.origin}/hangs`)
    void invoke(slow, { idempotencyKey: 'one', timeoutMs: 2_000 })
    await expect.poll(async () => (await checkChain(`agents/${slow.id}`)).open.length).toBe(1)
    return invoke(slow, { idempotencyKey: 'one', timeoutMs: 100 })
  },
  outcome_unknown: { elsewhere: 'idempotency.test.ts kills a process' },
  // gRPC FAILED_PRECONDITION: each time another change came first.
  conflict: () =>
    withCommits(9, () =>
      call('admin/rotateAgentKey', { agentId: agent.id }, { bearer: ownerKey, baseUrl: broken.baseUrl }),
    ),
  upstream_unreachable: async () => toolAt(await deadUrl()),
  upstream_timeout: () => toolAt(`${upstream.origin}/hangs`, { timeoutMs: 200 }),
  upstream_interrupted: () => toolAt(`${upstream.origin}/breaks`),
  upstream_too_large: () => toolAt(`${upstream.origin}/big`),
  upstream_redirect: () => toolAt(`${upstream.origin}/loops`),
  circuit_open: async () => {
    const failing = await newAgentWith(`${upstream.origin}/fails`)
    for (let n = 0; n < 10; n++) await done(invoke(failing))
    return invoke(failing)
  },
  worker_absent: () => toolNeeding({ source: 'static', value: 'x' }),
  server_failed: async () => {
    const { key } = await done<{ key: string }>(
      admin('createPolicy', { name: 'Tools', servers: [{ slug: 'fails', package: 'fails' }] }, agent.owner),
    )
    const data = { instanceId: 'w1', url: 'http://127.0.0.1:18080' }
    await done(call('worker/connect', data, { bearer: key }))
    const servers = [{ slug: 'fails', state: 'failed', error: 'exited with code 1' }]
    await done(call('worker/heartbeat', { ...data, policyVersion: 1, servers }, { bearer: key }))
    return call('invokeTool', { name: 'fails__do', args: {} }, { bearer: agent.key })
  },
  upstream_invalid: () => toolAt(`${upstream.origin}/garbles`),
  cancelled: { elsewhere: 'nobody is left to hear it; invoke.test.ts finds it on record' },
  kms_unavailable: () => invoke(agent, {}, { baseUrl: broken.baseUrl }),
  credential_unreadable: async () => {
    const moved = await newAgentWith(upstream.origin, { authToken: newSecret() })
    const { enc } = (await db().doc(`agents/${agent.id}/credentials/tool`).get()).data()!
    await db().doc(`agents/${moved.id}/credentials/tool`).update({ enc })
    return invoke(moved)
  },
  ledger_unavailable: () => withCommits(14, () => invoke(agent, {}, { baseUrl: broken.baseUrl })),
  // Checking whether a session was revoked needs the Auth server.
  unavailable: () =>
    call('admin/listTools', { agentId: agent.id }, { bearer: agent.owner.bearer, baseUrl: broken.baseUrl }),
  // gRPC INVALID_ARGUMENT: Firestore will never accept the write.
  internal: () =>
    withCommits(3, () => call('admin/createAgent', { name: 'Bot' }, { bearer: ownerKey, baseUrl: broken.baseUrl })),
}

it.each(Object.entries(PROVOKED).filter((named): named is [ErrorCode, Provoke] => typeof named[1] === 'function'))(
  '[errors.table] %s',
  async (code, provoke) => {
    const { http, callable, retryable } = ERRORS[code]
    const { status, body, headers } = await provoke()
    expect({ status, body }).toMatchObject({
      status: http,
      body: { error: { status: callable, details: { code, retryable } } },
    })
    expect((body as { error: { message: string } }).error.message.length).toBeGreaterThan(5)
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(headers.get('cache-control')).toBe('no-store')
  },
)

it('[errors.table] has a way to provoke every code, or says where it is tested', () => {
  expect(Object.keys(PROVOKED).sort()).toEqual(Object.keys(ERRORS).sort())
})

it('[ledger.chain] leaves a whole chain behind after all of that', async () => {
  await register(agent, { url: `${upstream.origin}/ok` })
  const { entries } = await checkChain(`agents/${agent.id}`)
  expect(entries.length).toBeGreaterThan(4)
})
