import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ERRORS, type ErrorCode } from '@vitrine/core/errors'
import type { DispatchKey } from '@vitrine/core/policy/worker-protocol'
import { definitionHash } from '@vitrine/core/policy/definition'
import { checkChain } from '../e2e/chain.ts'
import {
  admin,
  call,
  done,
  failed,
  invoke,
  newAgent,
  newOwner,
  register,
  usageOf,
  type Agent,
  type Owner,
} from '../e2e/world.ts'
import { startStubWorker, type StubWorker } from './stub-worker.ts'
import { agentIn, beat, connect, newPolicy, newTeam, report, server, worker, type Policy } from './world.ts'

/** Calls a policy's tools through invokeTool; a stub worker answers as each test says. */

let owner: Owner
let agent: Agent
let policy: Policy
let stub: StubWorker

beforeAll(async () => {
  stub = await startStubWorker(
    async () => (await done<{ keys: DispatchKey[] }>(worker('keys', {}, policy.key))).keys,
    () => policy.policyId,
  )
})
afterAll(() => stub.close())
beforeEach(async () => {
  owner = await newOwner()
  policy = await newPolicy([server('github', { commands: ['create_issue', 'read'] })], {}, owner)
  agent = await newAgent(owner)
  Object.assign(stub, {
    calls: [],
    answer: ({ command, arguments: args }: { command: string; arguments: object }) => ({
      result: { content: [{ type: 'text', text: command }], structuredContent: args },
    }),
  })
  await connect(policy.key, stub.url)
})

describe('[policies.invoke] a tool of a policy', () => {
  it('is called by the name of a command, or aggregated, on record and charged like any other', async () => {
    const args = { title: 'x' }
    const named = await done(invoke(agent, { name: 'github__create_issue', args }))
    const aggregated = await done(invoke(agent, { name: 'github', args: { command: 'create_issue', arguments: args } }))
    for (const { status, ok, result } of [named, aggregated])
      expect({ status, ok, result }).toEqual({
        status: 200,
        ok: true,
        result: { content: [{ type: 'text', text: 'create_issue' }], structuredContent: args },
      })
    expect(stub.calls.map(({ body }) => [body.server, body.command, body.arguments])).toEqual([
      ['github', 'create_issue', args],
      ['github', 'create_issue', args],
    ])
    expect(stub.calls.every(({ claims }) => claims.sub === agent.id)).toBe(true)
    const { entries } = await checkChain(`agents/${agent.id}`)
    // No worker has listed anything yet.
    expect(stub.calls.every(({ body }) => body.pinned === undefined)).toBe(true)
    const outcomes = entries.filter(({ action }) => action === 'tool.invoke')
    expect(outcomes.map(({ meta }) => meta['unpinned'])).toEqual([true, true])
    const intents = entries.filter(({ action }) => action === 'tool.invoke.intent')
    expect(intents.map(({ target, call, meta }) => [target, call, meta['kind']])).toEqual(
      stub.calls.map(({ body }) => ['github', body.call, 'worker']),
    )
    expect(await usageOf(agent)).toMatchObject({ invoked: 2, credited: 0 })
  })

  it('is there for the agents of its teams, and for others as if it were not', async () => {
    const team = await newTeam(owner)
    const member = await agentIn(owner, [team])
    await done(admin('assignPolicy', { policyId: policy.policyId, teams: [team] }, owner))
    await done(invoke(member, { name: 'github__read' }))
    const stranger = await newAgent()
    for (const other of [agent, stranger]) {
      const [missing, none] = await Promise.all([
        invoke(other, { name: 'github__read' }),
        invoke(other, { name: 'nothing__read' }),
      ])
      expect(missing.body).toEqual(none.body)
      await failed(Promise.resolve(missing), 'tool_not_found')
    }
    const choosy = await newAgent(owner, { teams: [team], allowedTools: ['other'] })
    await failed(invoke(choosy, { name: 'github__read' }), 'tool_not_found')
    await done(admin('setAgentTeams', { agentId: member.id, teams: [] }, owner))
    await failed(invoke(member, { name: 'github__read' }), 'tool_not_found')
    expect(stub.calls).toHaveLength(1)
  })

  it('gives an agent the commands alone that it was granted, however they are called', async () => {
    const choosy = await newAgent(owner, { allowedTools: ['github__read'] })
    const refusals = async () => {
      const answers = await Promise.all([
        invoke(choosy, { name: 'github__create_issue' }),
        invoke(choosy, { name: 'github', args: { command: 'create_issue', arguments: {} } }),
        invoke(choosy, { name: 'github__nothing' }),
        invoke(choosy, { name: 'nothing' }),
      ])
      return new Set(answers.map(({ status, body }) => JSON.stringify({ status, body })))
    }
    const shown = async () => (await done<{ tools: object[] }>(call('listTools', {}, { bearer: choosy.key }))).tools
    expect([...(await refusals())]).toEqual([expect.stringContaining('tool_not_found')])
    expect(await shown()).toEqual([{ name: 'github', kind: 'worker', url: '', manifest: null }])
    await done(report(policy.key, 'github', [{ name: 'create_issue' }, { name: 'read' }, { name: 'delete_repo' }]))
    expect([...(await refusals())]).toEqual([expect.stringContaining('tool_not_found')])
    expect(await shown()).toEqual([
      { name: 'github', kind: 'worker', url: '', manifest: { tools: [{ name: 'read' }] } },
    ])
    await done(invoke(choosy, { name: 'github__read' }))
    await done(invoke(choosy, { name: 'github', args: { command: 'read' } }))
    const pinned = definitionHash([{ name: 'read' }])
    expect(stub.calls.map(({ body }) => [body.command, body.pinned])).toEqual([
      ['read', pinned],
      ['read', pinned],
    ])
    const { entries } = await checkChain(`agents/${choosy.id}`)
    const denied = entries.filter(({ action }) => action === 'tool.deny')
    expect(new Set(denied.map(({ target, meta }) => `${target} ${meta['command']} ${meta['reason']}`))).toEqual(
      new Set(['github create_issue not_allowed', 'github nothing not_allowed', 'nothing undefined not_allowed']),
    )
    expect(await usageOf(choosy)).toMatchObject({ invoked: 2 })
  })

  it('gives way to a registration of the agent by the same name', async () => {
    await register(agent, { name: 'github', url: `${stub.url}/mine` })
    await invoke(agent, { name: 'github', args: {} })
    expect(stub.calls).toEqual([])
  })

  it("lets no command through that is off, unknown, changed or not the policy's any more, and charges nothing for it", async () => {
    await failed(invoke(agent, { name: 'github__delete_repo' }), 'tool_not_found')
    const tools = [
      { name: 'create_issue', inputSchema: { type: 'object', required: ['title'] } },
      { name: 'read' },
      { name: 'delete_repo' },
    ]
    await done(report(policy.key, 'github', tools))
    await failed(invoke(agent, { name: 'github__create_issue', args: {} }), 'args_invalid')
    await done(report(policy.key, 'github', [tools[0]!, { name: 'read', description: 'Now it writes.' }]))
    await failed(invoke(agent, { name: 'github__read' }), 'manifest_changed')
    await done(
      admin('updatePolicy', { policyId: policy.policyId, servers: [server('github', { enabled: false })] }, owner),
    )
    await failed(invoke(agent, { name: 'github__create_issue', args: { title: 'x' } }), 'tool_not_found')
    await done(admin('deletePolicy', { policyId: policy.policyId }, owner))
    await failed(invoke(agent, { name: 'github__create_issue', args: { title: 'x' } }), 'tool_not_found')
    expect(stub.calls).toEqual([])
    expect(await usageOf(agent)).toMatchObject({ invoked: 0 })
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.filter(({ action }) => action === 'tool.deny').map(({ meta }) => meta['code'])).toEqual([
      'tool_not_found',
      'manifest_changed',
      'tool_not_found',
      'tool_not_found',
    ])
  })

  describe('whose server', () => {
    const listed = async () =>
      (await done<{ tools: { name: string }[] }>(call('listTools', {}, { bearer: agent.key }))).tools.map(
        ({ name }) => name,
      )
    const states = (of: Record<string, object>, more: object = {}) =>
      beat(policy.key, {
        url: stub.url,
        policyVersion: 1,
        servers: Object.entries(of).map(([slug, status]) => ({ slug, ...status })),
        ...more,
      })
    const callsEnd = async (code: ErrorCode) => {
      const { details } = await failed(invoke(agent, { name: 'github__read' }), code)
      expect(details).toMatchObject({ retryable: ERRORS[code].retryable })
      expect(stub.calls).toEqual([])
      expect(await usageOf(agent)).toMatchObject({ invoked: 0 })
      const { entries } = await checkChain(`agents/${agent.id}`)
      return entries.at(-1)!.meta
    }

    it('[policies.failed] does not start is not listed, and its calls say so, until it starts', async () => {
      await states({ github: { state: 'failed', error: 'The server did not start: exited with code 1.' } })
      expect(await listed()).toEqual([])
      expect(await callsEnd('server_failed')).toMatchObject({ reason: 'server_failed', code: 'server_failed' })
      await states({ github: { state: 'ready' } })
      expect(await listed()).toEqual(['github'])
      await done(invoke(agent, { name: 'github__read' }))
    })

    it('lacks a secret that all share says that', async () => {
      await states({ github: { state: 'failed', error: 'Set it.', code: 'secret_missing' } })
      expect(await callsEnd('secret_missing')).toMatchObject({ reason: 'server_failed', code: 'secret_missing' })
    })

    it('runs at one of two workers is called there, and listed', async () => {
      await connect(policy.key, 'http://127.0.0.1:18080', 'w2')
      await states({ github: { state: 'ready' } })
      const other = { instanceId: 'w2', url: 'http://127.0.0.1:18080' }
      await states({ github: { state: 'failed' } }, other)
      expect(await listed()).toEqual(['github'])
      await done(invoke(agent, { name: 'github__read' }))
      await states({ github: { state: 'failed' } })
      expect(await listed()).toEqual([])
    })

    it('[policies.unheard] no worker has heard of may be called in a moment', async () => {
      await states({ other: { state: 'ready' } })
      expect(await callsEnd('worker_absent')).toMatchObject({ reason: 'worker_absent' })
      expect(await listed()).toEqual(['github'])
      await states({ other: { state: 'ready' }, github: { state: 'starting' } })
      await done(invoke(agent, { name: 'github__read' }))
    })

    it('or command its worker has not heard of may be called in a moment, and no circuit opens', async () => {
      stub.answer = () => ({ error: { code: 'tool_not_found', details: { behind: true } } })
      for (let n = 0; n < 12; n++) await failed(invoke(agent, { name: 'github__read' }), 'worker_absent')
      const { invoked, credited } = (await usageOf(agent)) as { invoked: number; credited: number }
      expect([invoked, credited]).toEqual([12, 12])
      stub.answer = ({ command }) => ({ result: { content: [{ type: 'text', text: command }] } })
      await done(invoke(agent, { name: 'github__read' }))
    })
  })

  it('gets the secret of the user who is named by a token of theirs', async () => {
    const env = [{ name: 'TOKEN', source: 'user_secret', secret: 'mine' }]
    await done(admin('updatePolicy', { policyId: policy.policyId, servers: [server('github', { env })] }, owner))
    const call = (more: object) => invoke(agent, { name: 'github__read', ...more })
    await failed(call({}), 'secret_missing')
    const { message } = await failed(call({ userToken: owner.bearer }), 'secret_missing')
    expect(message).toContain('admin/putSecret, scope "user", name "mine"')
    expect(await usageOf(agent)).toMatchObject({ invoked: 0 })
    await done(admin('putSecret', { scope: 'user', name: 'mine', value: 'of the owner' }, owner))
    await done(call({ userToken: owner.bearer }))
    const other = await newOwner()
    await failed(call({ userToken: other.bearer }), 'permission_denied')
    await failed(call({ userToken: `${owner.bearer}x` }), 'invalid_key')
    const [{ body, claims }, ...more] = stub.calls as [StubWorker['calls'][number]]
    expect(more).toEqual([])
    expect({ user: body.user, claim: claims['user'] }).toEqual({ user: owner.uid, claim: owner.uid })
    expect(body.userSecrets).toEqual({
      TOKEN: expect.objectContaining({ resource: expect.stringContaining(`/secrets/user:${owner.uid}:mine#enc`) }),
    })
  })

  it('costs nothing when its worker could not make the call', async () => {
    stub.answer = () => ({ error: { code: 'upstream_interrupted' } })
    await failed(invoke(agent, { name: 'github__read' }), 'upstream_interrupted')
    expect(await usageOf(agent)).toMatchObject({ invoked: 1, credited: 1 })
    expect((await checkChain(`agents/${agent.id}`)).open).toEqual([])
  })
})
