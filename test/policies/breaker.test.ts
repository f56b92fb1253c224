import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DispatchKey } from '@vitrine/core/policy/worker-protocol'
import { checkChain } from '../e2e/chain.ts'
import { deadUrl } from '../e2e/upstream.ts'
import { admin, db, done, failed, invoke, newAgent, newOwner, usageOf, type Agent, type Owner } from '../e2e/world.ts'
import { elsewhere } from '../stack/stack.ts'
import { startStubWorker, type StubWorker } from './stub-worker.ts'
import { beat, connect, newPolicy, server, worker, type Policy } from './world.ts'

/** Circuits of a policy's servers, and calls that reach no worker. */

let owner: Owner
let agent: Agent
let policy: Policy
let stub: StubWorker

const WELL = () => ({ result: { content: [] } })
const BROKEN = () => ({ error: { code: 'upstream_interrupted' } })

beforeAll(async () => {
  stub = await startStubWorker(
    async () => (await done<{ keys: DispatchKey[] }>(worker('keys', {}, policy.key))).keys,
    () => policy.policyId,
  )
})
afterAll(async () => {
  await stub.close()
})
beforeEach(async () => {
  owner = await newOwner()
  policy = await newPolicy([server('github'), server('jira')], {}, owner)
  agent = await newAgent(owner)
  Object.assign(stub, { calls: [], answer: BROKEN })
  await connect(policy.key, stub.url)
})

const read = (name = 'github', options: object = {}, data: object = {}) =>
  invoke(agent, { name: `${name}__read`, ...data }, options)
const there = () => ({ baseUrl: elsewhere() })
const policyDoc = () => db().doc(`orgs/${owner.uid}/toolPolicies/${policy.policyId}`)
const workersDoc = () => policyDoc().collection('state').doc('workers')

async function fail(times: number): Promise<void> {
  for (let n = 0; n < times; n++) await failed(read(), 'upstream_interrupted')
}

async function circuits(): Promise<Record<string, { state: string; until?: string }>> {
  const { servers } = await done<{ servers: { slug: string; breaker: { state: string } }[] }>(
    admin('getPolicy', { policyId: policy.policyId }, owner),
  )
  return Object.fromEntries(servers.map(({ slug, breaker }) => [slug, breaker]))
}

async function denials(): Promise<unknown[]> {
  const { entries, open } = await checkChain(`agents/${agent.id}`)
  expect(open).toEqual([])
  return entries.filter(({ action }) => action === 'tool.deny').map(({ meta }) => meta['code'])
}

describe('[breaker.policies] the circuit of a server', () => {
  it('is open in every instance, and its owner sees it; other servers have their own', async () => {
    expect(await circuits()).toEqual({ github: { state: 'closed' }, jira: { state: 'closed' } })
    await fail(10)
    const { details } = await failed(read(), 'circuit_open')
    expect((await failed(read('github', there()), 'circuit_open')).details).toEqual(details)
    expect(await circuits()).toEqual({
      github: { state: 'open', until: details['retryAt'] },
      jira: { state: 'closed' },
    })
    expect(stub.calls).toHaveLength(10)
    expect(await usageOf(agent)).toMatchObject({ invoked: 10, credited: 10 })
    expect(await denials()).toEqual(['circuit_open', 'circuit_open'])
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.findLast(({ action }) => action === 'tool.invoke')?.meta).toMatchObject({ breaker: 'opened' })
    stub.answer = WELL
    await done(read('jira'))
  })

  it('is closed for all by a probe that goes well', async () => {
    await fail(10)
    // Lets the open time end, for an instance that did not see the circuit open.
    await workersDoc().update({ 'breakers.github.openUntilMs': Date.now() - 1 })
    expect(await circuits()).toMatchObject({ github: { state: 'half_open' } })
    stub.answer = WELL
    await done(read('github', there()))
    expect(await circuits()).toMatchObject({ github: { state: 'closed' } })
    expect((await workersDoc().get()).data()).toMatchObject({ breakers: { github: null } })
  })

  it('is closed by a worker that comes, at once and everywhere', async () => {
    await fail(10)
    await failed(read('github', there()), 'circuit_open')
    stub.answer = WELL
    await connect(policy.key, stub.url, 'w2')
    expect(await circuits()).toMatchObject({ github: { state: 'closed' } })
    await done(read())
    await done(read('github', there()))
    // This is a new circuit, which has counted one call so far.
    stub.answer = BROKEN
    await fail(9)
    await failed(read('github', there()), 'circuit_open')
  })

  it('is another one for a changed policy', async () => {
    await fail(10)
    await done(
      admin('updatePolicy', { policyId: policy.policyId, servers: [server('github', { commands: ['read'] })] }, owner),
    )
    expect(await circuits()).toEqual({ github: { state: 'closed' } })
    stub.answer = WELL
    await done(read())
  })

  it('stands in no way of workers and owners', async () => {
    const { policyVersion } = (await workersDoc().get()).data()!['workers']['w1'] as { policyVersion: number }
    expect(policyVersion).toBe(0)
    const { policy: sent } = await beat(policy.key, { url: stub.url })
    const before = await policyDoc().get()
    await fail(10)
    expect(await circuits()).toMatchObject({ github: { state: 'open' } })
    // Workers need not fetch the policy again, nor owners read it again.
    expect((await policyDoc().get()).updateTime).toEqual(before.updateTime)
    expect(await beat(policy.key, { url: stub.url, policyVersion: sent!.version })).toEqual({})
    expect(await circuits()).toMatchObject({ github: { state: 'open' } })
    await done(admin('updatePolicy', { policyId: policy.policyId, name: 'Other', version: 1 }, owner))
  })

  it('costs no record when the policy goes in the moment that it opens', async () => {
    await fail(9)
    const held = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    stub.answer = (_body, res) => {
      begun.resolve()
      void held.promise.then(() =>
        res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(BROKEN())),
      )
    }
    const last = read()
    await begun.promise
    await done(admin('deletePolicy', { policyId: policy.policyId }, owner))
    held.resolve()
    const { details } = await failed(last, 'upstream_interrupted')
    expect(details['receipt']).not.toHaveProperty('pending')
    expect(await denials()).toEqual([])
    expect((await workersDoc().get()).exists).toBe(false)
  })
})

describe('[breaker.absent] without a worker', () => {
  it('that lives, calls end at once and cost nothing; the first call after one has come is made', async () => {
    await done(worker('disconnect', { instanceId: 'w1' }, policy.key))
    for (let n = 0; n < 20; n++) await failed(read('github', n % 2 ? there() : {}), 'worker_absent')
    expect(await denials()).toEqual(Array.from({ length: 20 }, () => 'worker_absent'))
    expect(await usageOf(agent)).toMatchObject({ invoked: 0 })
    expect(stub.calls).toEqual([])
    expect(await circuits()).toMatchObject({ github: { state: 'closed' } })
    stub.answer = WELL
    await connect(policy.key, stub.url, 'w2')
    await done(read())
    await done(read('github', there()))
  })

  it("that can be connected to, it is none of the tool's doing; the first call after one has come is made", async () => {
    await connect(policy.key, await deadUrl(), 'dead')
    await done(worker('disconnect', { instanceId: 'w1' }, policy.key))
    const refused = await Promise.all(Array.from({ length: 10 }, () => failed(read(), 'worker_absent')))
    expect(refused.every(({ details }) => details['receipt'] !== undefined)).toBe(true)
    // All servers share the workers, which are known to be gone.
    for (const name of ['github', 'jira', 'github'])
      expect((await failed(read(name), 'worker_absent')).details).toMatchObject({
        retryAt: expect.any(String) as unknown,
      })
    expect(await usageOf(agent)).toMatchObject({ invoked: 10, credited: 10 })
    expect(await denials()).toEqual(['worker_absent', 'worker_absent', 'worker_absent'])
    expect(await circuits()).toMatchObject({ github: { state: 'closed' } })
    stub.answer = WELL
    await connect(policy.key, stub.url, 'w2')
    await done(read())
    await done(read('jira'))
  })

  it('a repeated idempotency key still gets what the first call came to', async () => {
    stub.answer = WELL
    const once = () => read('github', {}, { idempotencyKey: 'k1', args: { a: 1 } })
    await done(once())
    await done(worker('disconnect', { instanceId: 'w1' }, policy.key))
    expect(await done(once())).toMatchObject({ replayed: true, status: 200 })
    // A call refused for lack of a worker was not made, so its key is free.
    await failed(read('github', {}, { idempotencyKey: 'k2' }), 'worker_absent')
    await connect(policy.key, stub.url, 'w2')
    await done(read('github', {}, { idempotencyKey: 'k2' }))
    expect(stub.calls).toHaveLength(2)
  })
})
