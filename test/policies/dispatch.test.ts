import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DispatchKey } from '@vitrine/core/policy/worker-protocol'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { Piece } from '@vitrine/core/tool'
import { createDispatcher } from '../../functions/src/egress/agent.ts'
import { readEgressPolicy } from '../../functions/src/egress/policy.ts'
import type { ForwardOutcome, ForwardRequest } from '../../functions/src/forward/forward.ts'
import { workerForward } from '../../functions/src/forward/worker/worker.ts'
import { createLoad, loadAhead, type Load } from '../../functions/src/store/load.ts'
import { policyTools } from '../../functions/src/policies/agent-tools.ts'
import { createLists } from '../../functions/src/manifest/lists.ts'
import { createManifests } from '../../functions/src/manifest/pinned.ts'
import { createRoutes, workerVerdict, type Routes, type WorkerTool } from '../../functions/src/policies/find.ts'
import { createCallSigner } from '../../functions/src/forward/worker/token.ts'
import { deadUrl } from '../e2e/upstream.ts'
import { admin, db, done, newOwner, rpc, type Owner } from '../e2e/world.ts'
import { stack } from '../stack/stack.ts'
import { startStubWorker, type StubWorker } from './stub-worker.ts'
import { beat, connect, newPolicy, newTeam, report, server, worker, type Policy } from './world.ts'

/** Finds a policy's tool and calls it at a worker, through the parts of the dispatch, on the stack's Firestore. */

let owner: Owner
let policy: Policy
let stub: StubWorker
let other: StubWorker
const dispatcher = createDispatcher({ policy: readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8' }) })
const agent = (teams: string[] = []) => ({ id: `agt_${randomUUID().slice(0, 8)}`, orgId: owner.uid, teams })
const TOOLS = [{ name: 'echo', inputSchema: { type: 'object' } }, { name: 'add' }]

beforeAll(async () => {
  owner = await newOwner()
  const keys = async () => (await done<{ keys: DispatchKey[] }>(worker('keys', {}, policy.key))).keys
  stub = await startStubWorker(keys, () => policy.policyId)
  other = await startStubWorker(keys, () => policy.policyId)
})
afterAll(async () => {
  await stub.close()
  await other.close()
  await dispatcher.close()
})
beforeEach(async () => {
  owner = await newOwner()
  policy = await newPolicy([server('github')], {}, owner)
  for (const one of [stub, other])
    Object.assign(one, {
      calls: [],
      answer: ({ command }: { command: string }) => ({ result: { content: [{ type: 'text', text: command }] } }),
    })
})

function policyParts() {
  const load = createLoad(rpc())
  return { db: db(), load, lists: createLists(load) }
}

function counted(): { load: Load; trips: () => number; routes: Routes } {
  let trips = 0
  const load = createLoad(rpc())
  return {
    load: (paths) => (trips++, load(paths)),
    trips: () => trips,
    routes: createRoutes(stack().project, createLists(load)),
  }
}

const find = (routes: Routes, of: ReturnType<typeof agent>, slug = 'github', user?: string) =>
  routes.find({ agent: of, slug, ...(user !== undefined && { user }) }, createLoad(rpc()))

describe('[policies.route] a name', () => {
  it('leads to the policy of the agent, its teams first', async () => {
    const team = await newTeam(owner)
    const ofTeam = await newPolicy([server('github'), server('jira', { enabled: false })], { teams: [team] }, owner)
    const { routes } = counted()
    expect((await find(routes, agent()))?.route.policyId).toBe(policy.policyId)
    expect((await find(routes, agent([team])))?.route.policyId).toBe(ofTeam.policyId)
    expect(await find(routes, agent(), 'jira')).toBeUndefined()
    expect(await find(routes, agent([team]), 'jira')).toMatchObject({ enabled: false })
    expect(await find(routes, agent(), 'none')).toBeUndefined()
    expect(await find(routes, { ...agent(), orgId: 'another' })).toBeUndefined()
    expect((await policyTools(policyParts(), agent([team]))).map(({ name }) => name)).toEqual(['github'])
    await done(admin('deletePolicy', { policyId: ofTeam.policyId }, owner))
    expect((await find(routes, agent([team])))?.route.policyId).toBe(policy.policyId)
  })

  it('is found without a round trip of its own once it was found, and never by what has changed', async () => {
    const { load, trips, routes } = counted()
    const mine = agent()
    expect(routes.guess(mine.id, 'github')).toEqual([])
    const known = () => loadAhead(load, routes.guess(mine.id, 'github'))
    expect(await routes.find({ agent: mine, slug: 'github' }, await known())).toBeDefined()
    expect(trips()).toBe(2)
    expect(await routes.find({ agent: mine, slug: 'github' }, await known())).toBeDefined()
    expect(trips()).toBe(3)
    // Routes, policy, server and workers (with the circuits).
    expect(routes.guess(mine.id, 'github')).toHaveLength(4)
    await done(
      admin('updatePolicy', { policyId: policy.policyId, servers: [server('github', { enabled: false })] }, owner),
    )
    expect(await routes.find({ agent: mine, slug: 'github' }, await known())).toMatchObject({ enabled: false })
    await done(admin('deletePolicy', { policyId: policy.policyId }, owner))
    expect(await routes.find({ agent: mine, slug: 'github' }, await known())).toBeUndefined()
    const { policyId } = await newPolicy([server('github')], {}, owner)
    expect((await routes.find({ agent: mine, slug: 'github' }, await known()))?.route.policyId).toBe(policyId)
  })

  it('lets enabled and approved commands through, and no others', async () => {
    const { routes } = counted()
    const verdict = async (command: string) => workerVerdict(createManifests(), (await find(routes, agent()))!, command)
    expect(await verdict('anything')).toEqual({ ok: true, value: undefined })
    await done(report(policy.key, 'github', TOOLS))
    expect(await verdict('echo')).toMatchObject({ ok: true })
    expect(await verdict('none')).toMatchObject({ error: { code: 'tool_not_found' } })
    await done(
      admin('updatePolicy', { policyId: policy.policyId, servers: [server('github', { commands: ['add'] })] }, owner),
    )
    expect(await verdict('echo')).toMatchObject({ error: { code: 'tool_not_found' } })
    expect(await policyTools(policyParts(), agent())).toEqual([
      { name: 'github', kind: 'worker', url: '', manifest: { tools: [{ name: 'add' }] } },
    ])
    await done(report(policy.key, 'github', [TOOLS[0]!, { name: 'add', description: 'New.' }]))
    expect(await verdict('add')).toMatchObject({ error: { code: 'manifest_changed', details: { command: 'add' } } })
  })

  it('needs the secrets of the user that the call is for', async () => {
    const env = [{ name: 'TOKEN', source: 'user_secret', secret: 'github_token' }]
    await done(
      admin(
        'updatePolicy',
        {
          policyId: policy.policyId,
          servers: [
            server('github', { env }),
            server('slack', { env: [{ name: 'T', source: 'oauth', provider: 'slack' }] }),
          ],
        },
        owner,
      ),
    )
    const { load, routes, trips } = counted()
    expect((await find(routes, agent()))?.unusable).toMatchObject({
      code: 'secret_missing',
      message: expect.stringContaining('names none'),
    })
    expect((await find(routes, agent(), 'github', owner.uid))?.unusable).toEqual({
      code: 'secret_missing',
      message: 'The secret "github_token" is not set: put it with admin/putSecret, scope "user", name "github_token".',
      details: { scope: 'user', name: 'github_token' },
    })
    expect((await find(routes, agent(), 'slack', owner.uid))?.unusable).toMatchObject({
      code: 'connection_required',
      message: expect.stringContaining('connect your account'),
    })
    await done(admin('putSecret', { scope: 'user', name: 'github_token', value: 'x' }, owner))
    const mine = agent()
    const tool = await find(routes, mine, 'github', owner.uid)
    expect(tool?.unusable).toBeUndefined()
    expect(tool?.route.userSecrets).toEqual({
      TOKEN: expect.objectContaining({
        resource: expect.stringContaining(`secrets/user:${owner.uid}:github_token#enc`),
      }),
    })
    // Another user's secret is not found, and a guess for one user is not used for another.
    expect((await find(routes, mine, 'github', 'somebody'))?.unusable).toMatchObject({ code: 'permission_denied' })
    await done(admin('setMember', { uid: 'somebody', role: 'member' }, owner))
    expect((await find(routes, mine, 'github', 'somebody'))?.unusable).toMatchObject({ code: 'secret_missing' })
    expect(routes.guess(mine.id, 'github', 'somebody').at(-1)).toBe(
      `orgs/${owner.uid}/secrets/user:somebody:github_token`,
    )
    // With the user's documents read along, nothing is left to be read.
    const ahead = await loadAhead(load, routes.guess(mine.id, 'github', owner.uid))
    const before = trips()
    const again = await routes.find({ agent: mine, slug: 'github', user: owner.uid }, ahead)
    expect(again).toBeDefined()
    expect(again?.unusable).toBeUndefined()
    expect(trips()).toBe(before)
  })
})

describe('[policies.forward] a call', () => {
  const sign = () => createCallSigner(db())
  let pieces: Piece[]

  async function callWith(
    tool: WorkerTool,
    more: Partial<ForwardRequest> & { timeoutMs?: number; call?: string } = {},
    made = workerForward({ dispatcher, sign: sign() }),
  ): Promise<ForwardOutcome> {
    const { timeoutMs = 30_000, call = randomUUID(), ...rest } = more
    const scrubber = createScrubber(null, { scheme: 'bearer' })
    const signal = AbortSignal.timeout(timeoutMs)
    const forward = made({ route: tool.route, agentId: 'agt_a', call, deadlineMs: Date.now() + timeoutMs })
    return forward({
      connection: 'x',
      endpoint: tool,
      command: 'echo',
      args: { a: 1 },
      credential: null,
      scrubber,
      signal,
      ...rest,
    })
  }

  async function toolAt(...urls: string[]): Promise<WorkerTool> {
    for (const [i, url] of urls.entries()) await connect(policy.key, url, `w${i}`)
    return (await find(counted().routes, agent()))!
  }

  it('goes to a worker with a token that binds it', async () => {
    const call = randomUUID()
    const outcome = await callWith(await toolAt(stub.url), { call, timeoutMs: 20_000 })
    expect(outcome).toEqual({
      answered: true,
      status: 200,
      ok: true,
      answer: { type: 'json', value: { content: [{ type: 'text', text: 'echo' }] } },
    })
    const { body, claims } = stub.calls[0]!
    expect(body).toMatchObject({ call, server: 'github', command: 'echo', arguments: { a: 1 } })
    expect(body.timeoutMs).toBeLessThanOrEqual(20_000)
    const signed = `{"arguments":{"a":1},"call":"${call}","command":"echo","server":"github","timeoutMs":${body.timeoutMs}}`
    const digest = createHash('sha256').update(signed).digest('base64url')
    expect(claims).toMatchObject({
      iss: 'vitrine',
      aud: `worker:${policy.policyId}:w0`,
      sub: 'agt_a',
      call,
      args: digest,
    })
    expect(claims.exp! - claims.iat!).toBeLessThanOrEqual(90)
    expect(claims).not.toHaveProperty('user')
  })

  it('publishes each key once, for a while', async () => {
    const tool = await toolAt(stub.url)
    const before = (await db().collection('dispatchKeys').get()).size
    const signer = createCallSigner(db())
    await Promise.all(
      Array.from({ length: 5 }, () =>
        signer({
          policyId: 'p',
          instanceId: 'i',
          agentId: 'a',
          body: { call: 'c', server: 's', command: 'c', arguments: {}, timeoutMs: 1 },
        }),
      ),
    )
    expect((await db().collection('dispatchKeys').get()).size).toBe(before + 1)
    const later = createCallSigner(db(), () => Date.now() + 24 * 60 * 60_000 * -3)
    await later({
      policyId: 'p',
      instanceId: 'i',
      agentId: 'a',
      body: { call: 'c', server: 's', command: 'c', arguments: {}, timeoutMs: 1 },
    })
    const { keys } = await done<{ keys: DispatchKey[] }>(worker('keys', {}, policy.key))
    const all = (await db().collection('dispatchKeys').get()).docs
    expect(keys.length).toBeLessThan(all.length)
    expect(tool.route.workers).toHaveLength(1)
  })

  it("says the tool's own failure in band, and ours by code", async () => {
    const tool = await toolAt(stub.url)
    const answers: [unknown, object][] = [
      [{ result: { isError: true, content: [] } }, { answered: true, status: 200, ok: false }],
      [{ error: { code: 'upstream_interrupted' } }, { code: 'upstream_interrupted', status: 0, sent: true }],
      [{ error: { code: 'upstream_timeout' } }, { code: 'upstream_timeout', status: 0, sent: true }],
      [{ error: { code: 'upstream_too_large' } }, { code: 'upstream_too_large', status: 200, sent: true }],
      [{ error: { code: 'upstream_unreachable' } }, { code: 'upstream_unreachable', status: 0, sent: false }],
      [{ error: { code: 'tool_not_found' } }, { code: 'tool_not_found', status: 0, sent: false }],
      [
        { error: { code: 'tool_not_found', details: { behind: true } } },
        { code: 'worker_absent', status: 0, sent: false, isBehind: true },
      ],
      [{ error: { code: 'server_failed' } }, { code: 'server_failed', status: 0, sent: false }],
      [{ error: { code: 'secret_missing' } }, { code: 'secret_missing', status: 0, sent: false }],
      [{ error: { code: 'invalid_key' } }, { code: 'upstream_unreachable', status: 0, sent: false }],
      [{ error: { code: 'quota_exceeded' } }, { code: 'upstream_invalid' }],
      [{ error: { code: 'made_up' } }, { code: 'upstream_invalid' }],
      [{ result: 'text' }, { code: 'upstream_invalid' }],
      [{}, { code: 'upstream_invalid' }],
      [[], { code: 'upstream_invalid' }],
    ]
    for (const [answer, outcome] of answers) {
      stub.answer = () => answer
      expect({ answer, outcome: await callWith(tool) }).toMatchObject({ answer, outcome })
    }
    stub.answer = (_body, res) => void res.writeHead(200).end('not json')
    expect(await callWith(tool)).toMatchObject({ code: 'upstream_invalid' })
    stub.answer = (_body, res) => void res.writeHead(302, { location: other.url }).end()
    expect(await callWith(tool)).toMatchObject({ code: 'upstream_invalid' })
    expect(other.calls).toEqual([])
    stub.answer = (_body, res) =>
      void res.writeHead(200, { 'content-type': 'application/json' }).write('{"result":', () => res.destroy())
    expect(await callWith(tool)).toMatchObject({ code: 'upstream_interrupted', status: 0, sent: true })
    stub.answer = (_body, res) =>
      void res.writeHead(200).end(JSON.stringify({ result: { text: 'x'.repeat(20_000_000) } }))
    expect(await callWith(tool)).toMatchObject({ code: 'upstream_too_large', status: 200 })
  })

  it('ends at its deadline, or when the caller goes away', async () => {
    const tool = await toolAt(stub.url)
    stub.answer = () => undefined
    expect(await callWith(tool, { timeoutMs: 1_000 })).toMatchObject({
      code: 'upstream_timeout',
      status: 0,
      sent: true,
    })
    const gone = new AbortController()
    const arrived = Promise.withResolvers<void>()
    stub.answer = () => arrived.resolve()
    const pending = callWith(tool, { signal: gone.signal })
    await arrived.promise
    gone.abort('cancelled')
    expect(await pending).toMatchObject({ code: 'cancelled', sent: true })
    expect(await callWith(tool, { signal: gone.signal })).toMatchObject({ code: 'cancelled', sent: false })
  })

  it('passes progress on as it comes', async () => {
    const tool = await toolAt(stub.url)
    stub.answer = (body, res) => {
      expect(body.stream).toBe(true)
      res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      res.write(
        'data: {"progress":{"progress":1,"total":2,"message":"half é"}}\n\ndata: {"progress":{"progress":2}}\n\n',
      )
      res.end('data: {"result":{"content":[]}}\n\n')
    }
    pieces = []
    const emit = (piece: Piece) => (pieces.push(piece), Promise.resolve())
    expect(await callWith(tool, { emit })).toMatchObject({ answered: true, answer: { value: { content: [] } } })
    expect(pieces).toEqual([
      { type: 'progress', progress: 1, total: 2, message: 'half é' },
      { type: 'progress', progress: 2 },
    ])
    stub.answer = (_body, res) =>
      void res.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: {"progress":{"progress":1}}\n\n')
    expect(await callWith(tool, { emit })).toMatchObject({ code: 'upstream_interrupted' })
    stub.answer = (_body, res) =>
      void res
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .end('data: {"error":{"code":"upstream_interrupted"}}\n\n')
    expect(await callWith(tool, { emit })).toMatchObject({ code: 'upstream_interrupted', sent: true })
  })

  it('goes to another worker when one is gone, under a token of its own', async () => {
    const dead = await deadUrl()
    const tool = await toolAt(dead, stub.url)
    for (let i = 0; i < 6; i++) expect(await callWith(tool)).toMatchObject({ answered: true })
    expect(new Set(stub.calls.map(({ body }) => body.call)).size).toBe(6)
    expect(
      await callWith(
        await (async () => ({
          ...tool,
          route: { ...tool.route, workers: [{ instanceId: 'w', url: dead, state: 'ready' as const }] },
        }))(),
      ),
    ).toEqual({
      answered: false,
      status: 0,
      code: 'worker_absent',
      sent: false,
    })
    expect(await callWith({ ...tool, route: { ...tool.route, workers: [] } })).toMatchObject({
      code: 'worker_absent',
      sent: false,
    })
    // A worker's own error is passed on, even if another worker is gone.
    stub.answer = () => ({ error: { code: 'upstream_unreachable' } })
    for (let i = 0; i < 6; i++) expect(await callWith(tool)).toMatchObject({ code: 'upstream_unreachable' })
    // A call that one worker may have begun is not sent to another.
    stub.answer = () => ({ error: { code: 'upstream_interrupted' } })
    const both = {
      ...tool,
      route: {
        ...tool.route,
        workers: [stub, other].map(({ url }, i) => ({
          instanceId: `w${i}`,
          url,
          state: i === 0 ? ('ready' as const) : undefined,
        })),
      },
    }
    expect(await callWith(both)).toMatchObject({ code: 'upstream_interrupted' })
    expect(other.calls).toEqual([])
    stub.answer = () => ({ error: { code: 'unavailable' } })
    expect(await callWith(both)).toMatchObject({ answered: true })
    expect(other.calls[0]!.body.call).toMatch(/\.2$/)
    expect(other.calls[0]!.claims['call']).toBe(other.calls[0]!.body.call)
  })

  it('is not offered first to a worker that was just found to be gone', async () => {
    const dead = new URL(await deadUrl()).origin
    const tool = await toolAt(dead, stub.url)
    const asked: string[] = []
    const watching = {
      request: (options: { origin: string }) => (asked.push(options.origin), dispatcher.request(options as never)),
    } as unknown as typeof dispatcher
    const made = workerForward({ dispatcher: watching, sign: sign() })
    const one = () => callWith(tool, {}, made)
    for (let i = 0; i < 40 && !asked.includes(dead); i++) expect(await one()).toMatchObject({ answered: true })
    expect(asked.slice(-2)).toEqual([dead, stub.url])
    for (let i = 0; i < 20; i++) await one()
    expect(asked.slice(-20)).toEqual(Array.from({ length: 20 }, () => stub.url))
    // It is still called if there is no other worker.
    const alone = { ...tool, route: { ...tool.route, workers: tool.route.workers.filter(({ url }) => url === dead) } }
    expect(await callWith(alone, {}, made)).toMatchObject({ code: 'worker_absent' })
    expect(asked.at(-1)).toBe(dead)
  })

  it('is spread over workers that live', async () => {
    const tool = await toolAt(stub.url, other.url)
    await Promise.all(Array.from({ length: 20 }, () => callWith(tool)))
    expect(stub.calls.length + other.calls.length).toBe(20)
    expect(Math.min(stub.calls.length, other.calls.length)).toBeGreaterThan(0)
    await beat(policy.key, {
      instanceId: 'w0',
      url: stub.url,
      policyVersion: 1,
      servers: [{ slug: 'github', state: 'failed' }],
    })
    await beat(policy.key, {
      instanceId: 'w1',
      url: other.url,
      policyVersion: 1,
      servers: [{ slug: 'github', state: 'ready' }],
    })
    stub.calls = []
    const now = (await find(counted().routes, agent()))!
    for (let i = 0; i < 5; i++) await callWith(now)
    expect(stub.calls).toEqual([])
    const late = createRoutes(stack().project, createLists(createLoad(rpc())), () => Date.now() + 31_000)
    expect((await find(late, agent()))?.route.workers).toEqual([])
  })
})
