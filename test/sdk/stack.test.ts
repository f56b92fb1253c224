import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Vitrine } from '../../sdk/src/index.ts'
import { signUp, stack } from '../stack/stack.ts'

/** Runs the SDK against the real functions, to show that both sides agree on every operation. */

let upstream: Server
let url: string
const arrived: IncomingHttpHeaders[] = []

beforeAll(async () => {
  upstream = createServer((request, response) => {
    arrived.push(request.headers)
    response.writeHead(request.url === '/busy' ? 503 : 200, { 'content-type': 'application/json' }).end('{"found":1}')
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/search`
})

afterAll(() => {
  upstream.closeAllConnections()
  upstream.close()
})

/** A new owner, signed in as a person, with one agent. */
async function newcomers(): Promise<{ owner: Vitrine; agent: Vitrine; agentId: string; uid: string }> {
  const { baseUrl } = stack()
  const { idToken, uid } = await signUp()
  const owner = new Vitrine({ baseUrl, getToken: () => idToken })
  const { agentId, key } = await owner.agents.create({ name: 'Bot' })
  return { owner, agent: new Vitrine({ baseUrl, key }), agentId, uid }
}

it('registers, lists, invokes and reads the record', async () => {
  const { owner, agent, agentId } = await newcomers()
  const tool = { agentId, name: 'search', kind: 'http', url, authToken: 'hunter2hunter2' } as const
  expect(await owner.tools.register(tool)).toEqual({ name: 'search', kind: 'http', url, manifest: null, created: true })
  expect(await owner.tools.register(tool)).toMatchObject({ created: false })
  expect(await agent.tools.list()).toEqual({ tools: [{ name: 'search', kind: 'http', url, manifest: null }] })
  expect((await owner.tools.listAll({ agentId })).tools).toMatchObject([
    {
      name: 'search',
      method: 'POST',
      auth: { scheme: 'bearer' },
      headers: {},
      enabled: true,
      credentialAccess: true,
      hasCredential: true,
    },
  ])

  const invocation = await agent.tools.invoke({ name: 'search', args: { q: 'x' }, timeoutMs: 120_000 })
  expect(invocation).toMatchObject({
    status: 200,
    ok: true,
    result: { found: 1 },
    receipt: { log: `agents/${agentId}` },
  })
  expect(arrived.at(-1)?.authorization).toBe('Bearer hunter2hunter2')
  expect(await agent.tools.getCredential({ name: 'search' })).toEqual({ token: 'hunter2hunter2' })
  expect(await owner.quota.usage({ agentId })).toMatchObject({ invoked: 1, credited: 0 })

  const page = await owner.audit.list({ agentId, action: 'tool.invoke', outcome: 'ok', pageSize: 1 })
  expect(page.entries).toMatchObject([{ seq: invocation.receipt.seq, action: 'tool.invoke', target: 'search' }])
  const seqs: number[] = []
  for await (const { seq } of owner.audit.entries({ agentId, pageSize: 2 })) seqs.push(seq)
  // Creation, registration, update, intent, outcome, credential access.
  expect(seqs).toEqual([5, 4, 3, 2, 1, 0])
})

it('hands on what a tool answers, and fails for what never reached one', async () => {
  const { owner, agent, agentId } = await newcomers()
  await owner.tools.register({ agentId, name: 'busy', kind: 'http', url: url.replace('/search', '/busy') })
  expect(await agent.tools.invoke({ name: 'busy' })).toMatchObject({ status: 503, ok: false, result: { found: 1 } })

  const first = { name: 'busy', idempotencyKey: 'first' }
  const { receipt, resultDigest } = await agent.tools.invoke(first)
  expect(await agent.tools.invoke(first)).toEqual({
    status: 503,
    ok: false,
    result: null,
    resultDigest,
    replayed: true,
    receipt,
  })
  await expect(agent.tools.invoke({ ...first, args: { other: 1 } })).rejects.toMatchObject({
    code: 'idempotency_key_reused',
    status: 422,
    retryable: false,
  })

  await owner.tools.setEnabled({ agentId, name: 'busy', enabled: false })
  await expect(agent.tools.invoke({ name: 'busy' })).rejects.toMatchObject({ code: 'tool_not_found', status: 404 })
  await expect(agent.tools.getCredential({ name: 'busy' })).rejects.toMatchObject({ code: 'tool_not_found' })
})

it('disables and enables an agent, and rotates its key', async () => {
  const { owner, agent, agentId } = await newcomers()
  expect(await owner.agents.disable({ agentId })).toEqual({ agentId, disabled: true })
  await expect(agent.tools.list()).rejects.toMatchObject({ code: 'agent_disabled', status: 403 })
  expect(await owner.agents.enable({ agentId })).toEqual({ agentId, disabled: false })
  expect(await agent.tools.list()).toEqual({ tools: [] })

  const { key } = await owner.agents.rotateKey({ agentId })
  await expect(agent.tools.list()).rejects.toMatchObject({ code: 'invalid_key', status: 401 })
  expect(await new Vitrine({ baseUrl: stack().baseUrl, key }).tools.list()).toEqual({ tools: [] })
})

it('makes and revokes owner keys', async () => {
  const { owner, agentId } = await newcomers()
  const { keyId, key } = await owner.keys.create({ label: 'ci' })
  const script = new Vitrine({ baseUrl: stack().baseUrl, key })
  expect(await script.tools.listAll({ agentId })).toEqual({ tools: [] })
  expect(await owner.keys.revoke({ keyId })).toEqual({ keyId })
  await expect(script.tools.listAll({ agentId })).rejects.toMatchObject({ code: 'invalid_key' })
})

it('says when a quota that is used up resets', async () => {
  const { owner, agent, agentId, uid } = await newcomers()
  await owner.tools.register({ agentId, name: 'search', kind: 'http', url })
  const quota = await owner.quota.set({ ownerUid: uid, monthlyInvocations: 1 })
  expect(quota).toMatchObject({ limit: 1, used: 0 })
  await agent.tools.invoke({ name: 'search' })
  await expect(agent.tools.invoke({ name: 'search' })).rejects.toMatchObject({
    code: 'quota_exceeded',
    status: 429,
    retryable: true,
    details: { resetsAt: quota.resetsAt },
  })
})

it('lets nobody into what is not theirs', async () => {
  const { owner, agent } = await newcomers()
  const stranger = await newcomers()
  await expect(
    stranger.owner.audit.list({ agentId: (await owner.agents.create({ name: 'Other' })).agentId }),
  ).rejects.toMatchObject({
    code: 'agent_not_found',
    status: 404,
  })
  await expect(agent.agents.create({ name: 'Mine' })).rejects.toMatchObject({ code: 'permission_denied', status: 403 })
})
