import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkChain } from '../e2e/chain.ts'
import { startFirestoreProxy, type FirestoreProxy } from '../e2e/firestore-proxy.ts'
import { startFunctions, type Functions } from '../e2e/functions.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { newAgent, register, setLimit } from '../e2e/world.ts'
import { account, callMany, callNumbered, codeOf, passed, receiptOf, reconcile, reconcileOnce, type Numbered } from './account.ts'

/** Two functions processes on the same chains, one of them behind a line that the tests can hold up. */

let upstream: Upstream
let proxy: FirestoreProxy
let both: [Functions, Functions]

/** Lets the tool called `gated` answer. */
let gate = Promise.withResolvers<void>()
beforeAll(async () => {
  upstream = await startUpstream({
    slow: (_hit, response) => void setTimeout(() => response.end('{}'), 40),
    gated: (_hit, response) => void gate.promise.then(() => response.end('{}')),
  })
  proxy = await startFirestoreProxy()
  // So soon that reconcilers and outcomes race for every call.
  const env = { VITRINE_RECONCILE_AFTER_MS: '60' }
  both = await Promise.all([startFunctions(env), startFunctions({ ...env, FIRESTORE_EMULATOR_HOST: proxy.host })])
})
afterAll(async () => {
  await Promise.all(both.map((functions) => functions.stop()))
  await proxy.close()
  await upstream.close()
})

it('[ledger.two-processes] lets both processes work one chain under load, and meets the limit to the unit', async () => {
  const agent = await newAgent()
  await register(agent, { url: `${upstream.origin}/ok/${agent.id}` })
  await setLimit(agent.owner, 150)
  const calls: [Numbered[], Numbered[]] = [[], []]
  for (let round = 0; round < 3; round++) {
    const [here, there] = await Promise.all(both.map(({ baseUrl }) => callMany(agent, 32, baseUrl)))
    calls[0].push(...here!)
    calls[1].push(...there!)
  }
  const all = calls.flat()
  expect([...new Set(all.map(codeOf))].sort()).toEqual(['ok', 'quota_exceeded'])
  expect(all.filter(passed)).toHaveLength(150)
  for (const side of calls) expect(side.filter(passed).length).toBeGreaterThan(0)
  const { usage, open } = await account(agent, upstream, all)
  expect([usage.invoked, usage.credited, open]).toEqual([150, 0, []])
})

it('[ledger.reconcile] closes each call once while two processes invoke and two reconcile', async () => {
  const agent = await newAgent()
  await register(agent, { url: `${upstream.origin}/slow/${agent.id}` })
  let invoking = true
  const reconciling = both.map(async ({ baseUrl }) => {
    let closed = 0
    while (invoking) closed += await reconcileOnce(agent, baseUrl)
    return closed
  })
  const calls: Numbered[] = []
  for (let round = 0; round < 3; round++) calls.push(...(await Promise.all(both.map(({ baseUrl }) => callMany(agent, 32, baseUrl)))).flat())
  invoking = false
  const closed = (await Promise.all(reconciling)).reduce((sum, n) => sum + n)
  expect(calls.map(codeOf).filter((code) => code !== 'ok')).toEqual([])
  await reconcile(agent, both[0].baseUrl)
  const { entries, usage } = await account(agent, upstream, calls)
  const unknown = entries.filter(({ action }) => action === 'tool.reconcile').length
  expect(unknown).toBeGreaterThanOrEqual(closed)
  expect(usage).toMatchObject({ invoked: calls.length, credited: 0 })
})

it('[ledger.late-outcome] leaves a call closed as unknown when its outcome comes to the store after that', async () => {
  const agent = await newAgent()
  await register(agent, { url: `${upstream.origin}/gated/${agent.id}` })
  gate = Promise.withResolvers()
  const calls = callMany(agent, 4, both[1].baseUrl)
  await expect.poll(() => upstream.hits.filter(({ url }) => url.includes(agent.id)).length).toBe(4)

  const stuck = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  proxy.fault('Commit', () => {
    stuck.resolve()
    return { before: released.promise }
  })
  gate.resolve()
  await stuck.promise
  expect(await reconcile(agent, both[0].baseUrl)).toBe(4)
  const { head } = await checkChain(`agents/${agent.id}`)
  released.resolve()
  proxy.fault('Commit', () => undefined)
  // The tool has answered, so its answer is what the callers get, with the intent as their receipt.
  expect((await calls).map((call) => [passed(call), receiptOf(call).pending])).toEqual(Array.from({ length: 4 }, () => [true, true]))
  await reconcile(agent, both[0].baseUrl)
  expect((await account(agent, upstream, await calls)).head).toBe(head)
})

it('[ledger.late-outcome] leaves an outcome alone that stands though nobody was told', async () => {
  const agent = await newAgent()
  await register(agent, { url: `${upstream.origin}/gated/${agent.id}` })
  gate = Promise.withResolvers()
  const call = callNumbered(agent, both[1].baseUrl)
  await expect.poll(() => upstream.hits.filter(({ url }) => url.includes(agent.id)).length).toBe(1)
  const released = Promise.withResolvers<void>()
  proxy.fault('Commit', () => ({ after: released.promise }))
  gate.resolve()
  await expect.poll(async () => (await checkChain(`agents/${agent.id}`)).open).toEqual([])
  expect(await reconcileOnce(agent, both[0].baseUrl)).toBe(0)
  released.resolve()
  proxy.fault('Commit', () => undefined)
  expect(receiptOf(await call)).toMatchObject({ seq: 3 })
  expect((await account(agent, upstream, [await call])).entries).toHaveLength(4)
})

it('[ledger.lost-ack] recognizes its own commits when the connection breaks before they are acknowledged', async () => {
  const agent = await newAgent()
  await register(agent, { url: `${upstream.origin}/slow/${agent.id}` })
  proxy.fault('Commit', (nth) => (nth % 3 === 0 ? 'cut' : undefined))
  const calls = await callMany(agent, 32, both[1].baseUrl)
  proxy.fault('Commit', () => undefined)
  expect(calls.map(codeOf).filter((code) => code !== 'ok')).toEqual([])
  const { entries, usage } = await account(agent, upstream, calls)
  expect(new Set(calls.map((call) => receiptOf(call).seq)).size).toBe(32)
  expect(usage).toMatchObject({ invoked: 32, credited: 0 })
  expect(entries).toHaveLength(2 + 2 * 32)
})
