import { expect, it } from 'vitest'
import { elsewhere } from '../stack/stack.ts'
import { checkChain, hashOf } from './chain.ts'
import { deadUrl, startUpstream } from './upstream.ts'
import { invoke, newAgent, newOwner, register, setLimit, usageOf } from './world.ts'

/**
 * Makes many invocations at once and compares four accounts: what callers were told, the chains, the meter, and what
 * arrived at the tool.
 */

interface Told {
  status: number
  body: { result?: { receipt: { log: string; seq: number; hash: string } } }
}

it('[ledger.sums] [ledger.chain] [ledger.usage] adds up after 500 invocations in parallel from one process', async () => {
  const upstream = await startUpstream()
  const agent = await newAgent()
  await register(agent, { url: `${upstream.origin}/ok` })
  await register(agent, { name: 'gone', url: await deadUrl() })
  const answers = (await Promise.all(
    Array.from({ length: 500 }, (_, i) => invoke(agent, { name: i % 10 === 0 ? 'gone' : 'tool', args: { i } })),
  )) as Told[]
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(450)
  // After several failures in a row, the dead tool's circuit opens.
  const failed = answers.filter(({ status }) => status === 502).length
  expect([failed + answers.filter(({ status }) => status === 503).length, failed >= 10]).toEqual([50, true])
  expect(upstream.hits).toHaveLength(450)
  expect(new Set(upstream.hits.map(({ body }) => body)).size).toBe(450)

  const { entries, segments, open, usage } = await checkChain(`agents/${agent.id}`)
  expect([entries.length, open]).toEqual([3 + 2 * (450 + failed) + (50 - failed), []])
  expect(usage).toMatchObject({ invoked: 450 + failed, credited: failed })
  expect(await usageOf(agent)).toMatchObject({ invoked: 450 + failed, credited: failed })
  // Group commit: far fewer segments than entries, each within its limit.
  expect(segments).toBeLessThan(entries.length / 4)
  for (const { body } of answers.filter(({ status }) => status === 200)) {
    const { log, seq, hash } = body.result!.receipt
    expect([log, hash, entries[seq]!.action]).toEqual([`agents/${agent.id}`, hashOf(entries[seq]!), 'tool.invoke'])
  }
  await upstream.close()
})

it('[ledger.two-processes] [quota.concurrent] adds up over two processes and four agents of one owner near the limit', async () => {
  const [upstream, owner] = await Promise.all([startUpstream(), newOwner()])
  const agents = await Promise.all(Array.from({ length: 4 }, () => newAgent(owner)))
  for (const agent of agents) await register(agent, { url: `${upstream.origin}/ok` })
  await setLimit(owner, 75)
  const answers = await Promise.all(
    Array.from({ length: 160 }, (_, i) => invoke(agents[i % 4]!, {}, i % 8 < 4 ? {} : { baseUrl: elsewhere() })),
  )
  const passed = answers.filter(({ status }) => status === 200).length
  expect(passed + answers.filter(({ status }) => status === 429).length).toBe(160)
  const chains = await Promise.all(agents.map((agent) => checkChain(`agents/${agent.id}`)))
  const sum = (of: (chain: (typeof chains)[number]) => number): number =>
    chains.reduce((total, chain) => total + of(chain), 0)
  expect([sum(({ usage }) => usage.invoked), upstream.hits.length]).toEqual([passed, passed])
  expect(sum(({ open }) => open.length)).toBe(0)
  // Near the limit agents lease single units, so hardly any unit is left with an idle agent.
  expect(passed).toBeLessThanOrEqual(75)
  expect(passed).toBeGreaterThanOrEqual(70)
  await upstream.close()
})
