import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkChain } from '../e2e/chain.ts'
import { startFirestoreProxy, type FirestoreProxy } from '../e2e/firestore-proxy.ts'
import { startFunctions, type Functions } from '../e2e/functions.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { newAgent, register, setLimit, type Agent } from '../e2e/world.ts'
import {
  account,
  callMany,
  callNumbered,
  codeOf,
  passed,
  receiptOf,
  reconcile,
  reconcileOnce,
  type Numbered,
} from './account.ts'

/** Two functions processes on the same chains, each with a connection that the tests can hold. */

const RECONCILE_AFTER_MS = 1_000

let upstream: Upstream
let proxies: [FirestoreProxy, FirestoreProxy]
let both: [Functions, Functions]

/** Lets the tool called `gated` answer. */
let gate = Promise.withResolvers<void>()
beforeAll(async () => {
  upstream = await startUpstream({
    // Answers around the time at which reconcilers give a call up, so that they race with its outcome.
    slow: ({ body }, response) =>
      void setTimeout(
        () => response.end('{}'),
        RECONCILE_AFTER_MS + ((JSON.parse(body) as { number: number }).number % 8) * 30 - 120,
      ),
    gated: (_hit, response) => void gate.promise.then(() => response.end('{}')),
  })
  proxies = await Promise.all([startFirestoreProxy(), startFirestoreProxy()])
  const start = ({ host }: FirestoreProxy): Promise<Functions> =>
    startFunctions({ FIRESTORE_EMULATOR_HOST: host, VITRINE_RECONCILE_AFTER_MS: String(RECONCILE_AFTER_MS) })
  both = await Promise.all([start(proxies[0]), start(proxies[1])])
})
afterAll(async () => {
  await Promise.all(both.map((functions) => functions.stop()))
  await Promise.all(proxies.map((proxy) => proxy.close()))
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
  const invoked = Promise.withResolvers<void>()
  const reconciling = both.map(({ baseUrl }) => reconcileUntil(agent, baseUrl, invoked.promise))
  const calls: Numbered[] = []
  for (let round = 0; round < 3; round++)
    calls.push(...(await Promise.all(both.map(({ baseUrl }) => callMany(agent, 32, baseUrl)))).flat())
  invoked.resolve()
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
  const outcome = holdCommit(proxies[1], 'before')
  gate.resolve()
  await outcome.held
  expect(await reconcile(agent, both[0].baseUrl)).toBe(4)
  const { head } = await checkChain(`agents/${agent.id}`)
  outcome.release()
  // The tool has answered, so callers get its answer, with the intent as their receipt.
  expect((await calls).map((call) => [passed(call), receiptOf(call).pending])).toEqual(
    Array.from({ length: 4 }, () => [true, true]),
  )
  await reconcile(agent, both[0].baseUrl)
  expect((await account(agent, upstream, await calls)).head).toBe(head)
})

it('[ledger.late-outcome] leaves a call alone whose outcome came while the reconciler was about to close it', async () => {
  const agent = await newAgent()
  await register(agent, { url: `${upstream.origin}/gated/${agent.id}` })
  gate = Promise.withResolvers()
  const call = callNumbered(agent, both[1].baseUrl)
  await expect.poll(() => upstream.hits.filter(({ url }) => url.includes(agent.id)).length).toBe(1)
  // Records how far the chain is closed, so that this process's next commit is the closing itself.
  await reconcileOnce(agent, both[0].baseUrl)
  // The outcome is made in time but takes a while to arrive.
  const outcome = holdCommit(proxies[1], 'before')
  gate.resolve()
  await outcome.held
  const closing = holdCommit(proxies[0], 'before')
  const reconciled = reconcileUntil(agent, both[0].baseUrl, closing.held)
  await closing.held
  outcome.release()
  await expect.poll(async () => (await checkChain(`agents/${agent.id}`)).open).toEqual([])
  closing.release()
  expect(await reconciled).toBe(0)
  expect((await account(agent, upstream, [await call])).entries).toHaveLength(4)
})

it('[ledger.late-outcome] leaves an outcome alone that stands though nobody was told', async () => {
  const agent = await newAgent()
  await register(agent, { url: `${upstream.origin}/gated/${agent.id}` })
  gate = Promise.withResolvers()
  const call = callNumbered(agent, both[1].baseUrl)
  await expect.poll(() => upstream.hits.filter(({ url }) => url.includes(agent.id)).length).toBe(1)
  const outcome = holdCommit(proxies[1], 'after')
  gate.resolve()
  await expect.poll(async () => (await checkChain(`agents/${agent.id}`)).open).toEqual([])
  await sleep(RECONCILE_AFTER_MS)
  expect(await reconcileOnce(agent, both[0].baseUrl)).toBe(0)
  outcome.release()
  expect((await account(agent, upstream, [await call])).entries).toHaveLength(4)
})

it('[ledger.lost-ack] recognizes its own commits when the connection breaks before they are acknowledged', async () => {
  const agent = await newAgent()
  await register(agent, { url: `${upstream.origin}/ok/${agent.id}` })
  proxies[1].fault('Commit', (nth) => (nth % 3 === 0 ? 'cut' : undefined))
  const calls = await callMany(agent, 32, both[1].baseUrl)
  proxies[1].fault('Commit', () => undefined)
  expect(calls.map(codeOf).filter((code) => code !== 'ok')).toEqual([])
  const { entries, usage } = await account(agent, upstream, calls)
  expect(new Set(calls.map((call) => receiptOf(call).seq)).size).toBe(32)
  expect(usage).toMatchObject({ invoked: 32, credited: 0 })
  expect(entries).toHaveLength(2 + 2 * 32)
})

/** Holds commits before they reach the store, or their acknowledgements after it, until they are released. */
function holdCommit(proxy: FirestoreProxy, where: 'before' | 'after'): { held: Promise<void>; release(): void } {
  const held = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  proxy.fault('Commit', () => {
    held.resolve()
    return where === 'before' ? { before: released.promise } : { after: released.promise }
  })
  return {
    held: held.promise,
    release() {
      proxy.fault('Commit', () => undefined)
      released.resolve()
    },
  }
}

/** Reconciles the chain until `done` resolves; returns how many calls that closed. */
async function reconcileUntil(agent: Agent, baseUrl: string, done: Promise<unknown>): Promise<number> {
  let isDone = false
  void done.then(() => (isDone = true))
  let closed = 0
  while (!isDone) closed += await reconcileOnce(agent, baseUrl)
  return closed
}
