import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newAgent, usageOf, type Agent } from '../e2e/world.ts'
import { descendants, isAlive } from '../stack/cli.ts'
import { nodeFiles, openFile, openFolder } from './node-servers.ts'
import { callTool, eventually, isLive, newPolicy, readyWorker, said, type Policy, type Worker } from './world.ts'

/** Several workers of one policy; agents see no difference. */

const SLOW = { timeout: 240_000 }

interface Shared {
  agent: Agent
  policy: Policy
  config: string
}

let shared: Promise<Shared> | undefined
const running = new Set<Worker>()

/** The agent, with that many living workers of its policy: those that earlier tests left, and new ones. */
async function withWorkers(count: number): Promise<Shared & { workers: Worker[]; start(): Promise<Worker> }> {
  shared ??= newAgent().then(async (agent) => ({
    agent,
    policy: await newPolicy(agent.owner, [{ slug: 'web', node: true }]),
    config: (await nodeFiles({ web: 'capabilities: [web.*, wait]' })).config,
  }))
  const of = await shared
  const start = async (): Promise<Worker> => {
    const worker = await readyWorker(of.policy, { VITRINE_WORKER_CONFIG: of.config })
    running.add(worker)
    void worker.exited.then(() => running.delete(worker))
    return worker
  }
  await Promise.all(Array.from({ length: count - running.size }, start))
  for (const worker of running) await eventually(() => isLive(of.agent.owner, of.policy, worker))
  return { ...of, workers: [...running], start }
}

const search = (agent: Agent, query: string) => callTool(agent, 'web__web.search', { query })

// The first test, since calls may still be offered to a worker that was killed a moment ago.
test(
  'without a worker calls end at once and cost nothing, and the next worker serves the first that comes',
  SLOW,
  async () => {
    const { agent, workers, start } = await withWorkers(1)
    const before = await usageOf(agent)
    expect((await search(agent, 'a')).status).toBe(200)
    workers[0]!.kill('SIGTERM')
    expect(await workers[0]!.exited).toBe(0)
    for (let n = 0; n < 20; n++)
      expect((await search(agent, 'b')).body).toMatchObject({ error: { details: { code: 'worker_absent' } } })
    expect(await usageOf(agent)).toMatchObject({ invoked: before.invoked + 1, credited: before.credited })
    await start()
    expect((await search(agent, 'c')).status).toBe(200)
  },
)

test('two workers share a policy; when one is killed, no call is lost', SLOW, async () => {
  const { agent, workers } = await withWorkers(2)
  // The home folder identifies a server's process.
  const home = async (): Promise<string> =>
    (JSON.parse(await said(callTool(agent, 'web__web.environment'))) as { HOME: string }).HOME
  const homes = new Set<string>()
  for (let i = 0; i < 40 && homes.size < 2; i++) homes.add(await home())
  expect(homes.size).toBe(2)

  const [one] = workers
  const processes = descendants(one!.pid)
  expect(processes.length).toBeGreaterThan(0)
  one!.kill('SIGKILL')
  await one!.exited
  const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => said(search(agent, `n${i}`))))
  expect(answers).toEqual(Array.from({ length: 12 }, (_, i) => `web.search: n${i}`))
  await eventually(() => Promise.resolve(!processes.some(isAlive)))
})

test(
  'a call that is under way when its worker is killed is answered at once, and the next worker serves',
  SLOW,
  async () => {
    const { agent, workers, start } = await withWorkers(1)
    const file = await openFile(join(await openFolder(), 'waiting'))
    const startedMs = Date.now()
    const long = callTool(agent, 'web__wait', { file }, { timeoutMs: 60_000 })
    await eventually(async () => (await readFile(file, 'utf8')) !== '')
    workers[0]!.kill('SIGKILL')
    // The tool allows a second call, so one is tried, but no worker is left. The first attempt decides the error.
    expect((await long).body).toMatchObject({ error: { details: { code: 'upstream_interrupted' } } })
    expect(Date.now() - startedMs).toBeLessThan(30_000)

    await start()
    expect(await said(callTool(agent, 'web', { command: 'web.search', arguments: { query: 'again' } }))).toBe(
      'web.search: again',
    )
  },
)
