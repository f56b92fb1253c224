import { afterAll, beforeAll, expect, it } from 'vitest'
import { stack } from '../stack/stack.ts'
import { startFunctions, type Functions } from '../e2e/functions.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { newAgent, register } from '../e2e/world.ts'
import { account, callMany, callNumbered, codeOf, passed, receiptOf } from './account.ts'
import { startLine, type Line } from './line.ts'

/** Firestore goes away under load and comes back. */

const OUTAGES = ['cut', 'held'] as const
type Outage = (typeof OUTAGES)[number]

let upstream: Upstream
/** Per agent, resolves when the tool may answer. */
const gates = new Map<string, PromiseWithResolvers<void>>()
const sides = new Map<Outage, { line: Line; functions: Functions }>()
beforeAll(async () => {
  upstream = await startUpstream({
    gated: ({ url }, response) => void gates.get(url.split('/')[2]!)!.promise.then(() => response.end('{}')),
  })
  for (const outage of OUTAGES) {
    const line = await startLine(stack().firestore)
    sides.set(outage, { line, functions: await startFunctions({ FIRESTORE_EMULATOR_HOST: line.host }) })
  }
})
afterAll(async () => {
  for (const { line, functions } of sides.values()) {
    await functions.stop()
    await line.close()
  }
  await upstream.close()
})

it(
  '[ledger.pending] [ledger.down] answers calls under way and calls no tool while Firestore is away',
  { timeout: 240_000 },
  async () => {
    // Both run at once, since most of the time is spent waiting for a service that does not answer.
    await Promise.all(OUTAGES.map(suffer))
  },
)

async function suffer(outage: Outage): Promise<void> {
  const { line, functions } = sides.get(outage)!
  const { baseUrl } = functions
  const agent = await newAgent()
  const gate = Promise.withResolvers<void>()
  gates.set(agent.id, gate)
  await register(agent, { url: `${upstream.origin}/gated/${agent.id}` })
  const hits = (): number => upstream.hits.filter(({ url }) => url.includes(agent.id)).length
  const underWay = callMany(agent, 32, baseUrl)
  await expect.poll(hits).toBe(32)

  line.set(outage)
  gate.resolve()
  const refused = callNumbered(agent, baseUrl)
  const calls = await underWay
  expect(calls.map((call) => [codeOf(call), receiptOf(call).pending])).toEqual(calls.map(() => ['ok', true]))
  expect(codeOf(await refused)).toBe('unavailable')
  expect(hits()).toBe(32)

  line.set('open')
  // It recovers by itself, without a restart or a request.
  await expect.poll(async () => passed(await callNumbered(agent, baseUrl))).toBe(true)
  await expect.poll(async () => (await account(agent, upstream, calls)).open.length).toBe(0)
  const { usage } = await account(agent, upstream, calls)
  expect(usage).toMatchObject({ invoked: hits(), credited: 0 })
}
