import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkChain } from './chain.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import { done, failed, invoke, newAgent, newOwner, register, setLimit } from './world.ts'

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.close())

const LIMIT = 200

it('[quota.reclaim] gives one agent what another has leased and not spent, to the last unit', async () => {
  const owner = await newOwner()
  const [idle, busy] = await Promise.all([newAgent(owner), newAgent(owner)])
  for (const agent of [idle, busy]) await register(agent, { url: `${upstream.origin}/ok/reclaim` })
  await setLimit(owner, LIMIT)
  await done(invoke(idle))
  expect((await checkChain(`agents/${idle.id}`)).usage.leased).toBeGreaterThan(1)

  for (let sent = 1; sent < LIMIT; sent += 20) {
    const answers = await Promise.all(Array.from({ length: Math.min(20, LIMIT - sent) }, () => invoke(busy)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  }
  await failed(invoke(busy), 'quota_exceeded')
  expect(upstream.at('/ok/reclaim')).toHaveLength(LIMIT)

  const { entries, usage } = await checkChain(`agents/${idle.id}`)
  expect(usage).toMatchObject({ invoked: 1, leased: 1 })
  expect(entries.at(-1)).toMatchObject({
    action: 'quota.release',
    target: owner.uid,
    meta: { units: expect.any(Number) },
  })
})
