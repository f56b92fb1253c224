import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkChain } from './chain.ts'
import { deadUrl, startUpstream, type Upstream } from './upstream.ts'
import { admin, done, failed, invoke, newAgent, newAgentWith, newOwner, register, setLimit, usageOf } from './world.ts'

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.close())

/** The end of the current month, UTC. */
function nextMonth(): string {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)).toISOString()
}

describe('the monthly quota', () => {
  it('[quota.limit] lets the limit pass and no more; a refusal says when it resets, is on record and forwards nothing', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/five`)
    await setLimit(agent.owner, 5)
    for (let i = 0; i < 5; i++) await done(invoke(agent))
    for (let i = 0; i < 2; i++) {
      const { status, body, headers } = await invoke(agent)
      expect([status, body]).toMatchObject([
        429,
        {
          error: {
            status: 'RESOURCE_EXHAUSTED',
            details: { code: 'quota_exceeded', retryable: true, resetsAt: nextMonth(), limit: 5 },
          },
        },
      ])
      expect(Math.abs(Number(headers.get('retry-after')) - (Date.parse(nextMonth()) - Date.now()) / 1000)).toBeLessThan(
        60,
      )
    }
    expect(upstream.at('/ok/five')).toHaveLength(5)
    const { entries, usage } = await checkChain(`agents/${agent.id}`)
    expect(entries.slice(-2)).toMatchObject(
      [1, 2].map(() => ({ action: 'tool.deny', target: 'tool', meta: { reason: 'quota_exceeded' } })),
    )
    expect(usage).toMatchObject({ invoked: 5, credited: 0, leased: 5 })
    expect(await usageOf(agent)).toMatchObject({ invoked: 5, credited: 0, limit: 5 })
  })

  it('[quota.shared] is shared by all agents of an owner, and by nobody else', async () => {
    const owner = await newOwner()
    const agents = await Promise.all([newAgent(owner), newAgent(owner)])
    for (const agent of agents) await register(agent, { url: `${upstream.origin}/ok/shared` })
    await setLimit(owner, 4)
    for (const agent of [agents[0], agents[1], agents[0], agents[1]]) await done(invoke(agent))
    for (const agent of agents) await failed(invoke(agent), 'quota_exceeded')
    await done(invoke(await newAgentWith(`${upstream.origin}/ok/shared`)))
    expect(upstream.at('/ok/shared')).toHaveLength(5)
  })

  it('[quota.concurrent] holds exactly when many ask at once', async () => {
    const owner = await newOwner()
    const agents = await Promise.all([newAgent(owner), newAgent(owner), newAgent(owner)])
    for (const agent of agents) await register(agent, { url: `${upstream.origin}/ok/concurrent` })
    await setLimit(owner, 20)
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => invoke(agents[i % 3]!)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(20)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(40)
    expect(upstream.at('/ok/concurrent')).toHaveLength(20)
    const chains = await Promise.all(agents.map((agent) => checkChain(`agents/${agent.id}`)))
    expect(chains.reduce((sum, { usage }) => sum + usage.invoked, 0)).toBe(20)
    expect(chains.flatMap(({ entries }) => entries.filter(({ action }) => action === 'tool.deny'))).toHaveLength(40)
  })

  it('[quota.default] is 10,000 until somebody sets it, and can be raised in the running month', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    expect(await usageOf(agent)).toMatchObject({ limit: 10_000 })
    expect(await done(admin('setQuota', { monthlyInvocations: 1 }, agent.owner))).toEqual({
      limit: 1,
      used: 0,
      resetsAt: nextMonth(),
    })
    await done(invoke(agent))
    await failed(invoke(agent), 'quota_exceeded')
    expect(await done(admin('setQuota', { monthlyInvocations: 2 }, agent.owner))).toMatchObject({ limit: 2, used: 1 })
    await done(invoke(agent))
    await setLimit(agent.owner, 0)
    await failed(invoke(agent), 'quota_exceeded')
    const { entries } = await checkChain(`orgs/${agent.owner.uid}`)
    expect(
      entries.filter(({ action }) => action === 'quota.update').map(({ meta }) => meta['monthlyInvocations']),
    ).toEqual([1, 2, 0])
  })

  it('[quota.credit] gives a unit back that bought no answer, so that it can be spent again', async () => {
    const agent = await newAgentWith(await deadUrl())
    await setLimit(agent.owner, 2)
    for (let i = 0; i < 4; i++) await failed(invoke(agent), 'upstream_unreachable')
    await register(agent, { url: `${upstream.origin}/fails` })
    for (let i = 0; i < 2; i++) expect(await done(invoke(agent))).toMatchObject({ status: 503 })
    await failed(invoke(agent), 'quota_exceeded')
    expect((await checkChain(`agents/${agent.id}`)).usage).toMatchObject({ invoked: 6, credited: 4, leased: 2 })
  })

  it('[quota.lowered] holds from now on when it is lowered below what an agent has leased', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/lowered`)
    for (let i = 0; i < 2; i++) await done(invoke(agent))
    expect((await checkChain(`agents/${agent.id}`)).usage.leased).toBeGreaterThan(5)
    await setLimit(agent.owner, 5)
    for (let i = 0; i < 3; i++) await done(invoke(agent))
    await failed(invoke(agent), 'quota_exceeded')
    await setLimit(agent.owner, 2)
    await failed(invoke(agent), 'quota_exceeded')
    expect(upstream.at('/ok/lowered')).toHaveLength(5)
  })
})
