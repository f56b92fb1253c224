import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkChain } from '../e2e/chain.ts'
import { startFirestoreProxy, type Fault, type FirestoreProxy } from '../e2e/firestore-proxy.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { newAgent as newEmptyAgent, register, setLimit, type Agent } from '../e2e/world.ts'
import { account, callMany, callNumbered, passed, reconcile, reconcileOnce, type Numbered } from './account.ts'
import { startVictim, type Victim } from './victim.ts'

/** Kills the functions process under 32 parallel calls; another process takes over and reconciles. */

const CALLS = 32
const never = new Promise<never>(() => undefined)

let upstream: Upstream
let proxy: FirestoreProxy
let victim: Victim
beforeAll(async () => {
  // Tools answer at different times, so that calls are at different steps when one of them ends.
  upstream = await startUpstream({
    varied: ({ body }, response) =>
      void setTimeout(() => response.end('{}'), ((JSON.parse(body) as { number: number }).number % 8) * 15),
  })
  proxy = await startFirestoreProxy()
  victim = await startVictim({ FIRESTORE_EMULATOR_HOST: proxy.host, VITRINE_RECONCILE_AFTER_MS: '500' })
})
afterAll(async () => {
  await victim.stop()
  await proxy.close()
  await upstream.close()
})

const STEPS = ['parse', 'load', 'choose', 'enter', 'admit', 'forward', 'scrub', 'settle']

it.each(STEPS)('[ledger.killed] adds up after a kill at the end of "%s"', async (step) => {
  const agent = await newAgent(40)
  await victim.killAt(step, 8)
  const calls = await callMany(agent, CALLS, victim.baseUrl())
  await victim.restart()
  expect(calls.filter(({ answer }) => answer === undefined).length).toBeGreaterThan(0)
  await recover(agent, 40, calls)
})

describe('the store has', () => {
  const MOMENTS = [0, 1, 3].flatMap((nth) => [
    { what: 'not got', nth, got: 0, fault: { before: never } },
    { what: 'got', nth, got: 1, fault: { after: never } },
  ])

  it.each<{ what: string; nth: number; got: number; fault: Fault }>(MOMENTS)(
    '[ledger.killed] $what commit $nth when the process is killed that waits for it',
    async ({ nth, got, fault }) => {
      const agent = await newAgent(40)
      const { segments } = await checkChain(`agents/${agent.id}`)
      const stuck = Promise.withResolvers<void>()
      proxy.fault('Commit', (n) => {
        if (n < nth) return undefined
        stuck.resolve()
        return fault
      })
      const calls = callMany(agent, CALLS, victim.baseUrl())
      await stuck.promise
      await expect.poll(async () => (await checkChain(`agents/${agent.id}`)).segments).toBe(segments + nth + got)
      await victim.kill()
      proxy.fault('Commit', () => undefined)
      await victim.restart()
      await recover(agent, 40, await calls)
    },
  )
})

it('[ledger.killed] adds up after kills at any time', async () => {
  const agent = await newAgent(200)
  const calls: Numbered[] = []
  for (const ms of [0, 70, 250]) {
    const before = calls.length
    const load = Promise.all(Array.from({ length: CALLS }, () => callUntilGone(agent, calls)))
    // Waits for the first answer, so that a slow machine is not killed before it has begun.
    await expect.poll(() => calls.length).toBeGreaterThan(before)
    await sleep(ms)
    await victim.kill()
    await load
    await victim.restart()
  }
  await recover(agent, 200, calls)
})

async function newAgent(limit: number): Promise<Agent> {
  const agent = await newEmptyAgent()
  await register(agent, { url: `${upstream.origin}/varied/${agent.id}` })
  await setLimit(agent.owner, limit)
  return agent
}

/**
 * Checks the state after another process took over: all accounts agree, nothing is open, and the limit is met to the
 * unit.
 */
async function recover(agent: Agent, limit: number, calls: readonly Numbered[]): Promise<void> {
  const baseUrl = victim.baseUrl()
  const closed = await reconcile(agent, baseUrl)
  const { entries, head, usage } = await account(agent, upstream, calls)
  expect(entries.filter(({ action }) => action === 'tool.reconcile')).toHaveLength(closed)
  // A call with an unknown outcome stays charged: the tool may have done its work.
  expect(usage.credited).toBe(0)
  for (let again = 0; again < 2; again++) expect(await reconcileOnce(agent, baseUrl)).toBe(0)
  expect((await checkChain(`agents/${agent.id}`)).head).toBe(head)

  const more = await callMany(agent, limit - usage.invoked + 8, baseUrl)
  expect(more.filter(passed)).toHaveLength(limit - usage.invoked)
  expect((await account(agent, upstream, [...calls, ...more])).usage).toMatchObject({ invoked: limit, credited: 0 })
}

async function callUntilGone(agent: Agent, calls: Numbered[]): Promise<void> {
  for (let call: Numbered | undefined; call === undefined || call.answer !== undefined;) {
    call = await callNumbered(agent, victim.baseUrl())
    calls.push(call)
  }
}
