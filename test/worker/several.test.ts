import { expect, test } from 'vitest'
import { newAgent, usageOf } from '../e2e/world.ts'
import { descendants, isAlive } from '../stack/cli.ts'
import { callTool, eventually, liveWorkers, newPolicy, readyWorker, said, SERVERS } from './world.ts'

/** Several workers of one policy; agents see no difference. */

const SLOW = { timeout: 120_000 }

test('two workers share a policy; when one is killed, no call is lost', SLOW, async () => {
  const agent = await newAgent()
  const policy = await newPolicy(agent.owner, [SERVERS.everything])
  const [one, other] = await Promise.all([readyWorker(policy), readyWorker(policy)])
  await eventually(async () => (await liveWorkers(agent.owner, policy)) === 2)
  const echo = (message: string): Promise<string> => said(callTool(agent, 'everything__echo', { message }))

  // `get-env` shows the process's home folder, which identifies it.
  const home = async (): Promise<string> =>
    (JSON.parse(await said(callTool(agent, 'everything__get-env'))) as { HOME: string }).HOME
  const homes = new Set<string>()
  for (let i = 0; i < 40 && homes.size < 2; i++) homes.add(await home())
  expect(homes.size).toBe(2)

  const processes = descendants(one.pid)
  one.kill('SIGKILL')
  await one.exited
  const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => echo(`n${i}`)))
  expect(answers).toEqual(Array.from({ length: 12 }, (_, i) => `Echo: n${i}`))
  await eventually(() => Promise.resolve(!processes.some(isAlive)))
  other.kill('SIGTERM')
  expect(await other.exited).toBe(0)
})

test(
  'a call that is under way when its worker is killed is answered at once, and the next worker serves',
  SLOW,
  async () => {
    const agent = await newAgent()
    const policy = await newPolicy(agent.owner, [SERVERS.everything])
    const worker = await readyWorker(policy)
    await eventually(async () => (await liveWorkers(agent.owner, policy)) === 1)
    const startedMs = Date.now()
    const long = callTool(
      agent,
      'everything__trigger-long-running-operation',
      { duration: 50, steps: 50 },
      { timeoutMs: 60_000 },
    )
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    worker.kill('SIGKILL')
    // The tool allows a second call, so one is tried, but no worker is left. The first attempt decides the error.
    expect((await long).body).toMatchObject({ error: { details: { code: 'upstream_interrupted' } } })
    expect(Date.now() - startedMs).toBeLessThan(30_000)

    await readyWorker(policy)
    expect(await said(callTool(agent, 'everything', { command: 'echo', arguments: { message: 'again' } }))).toBe(
      'Echo: again',
    )
  },
)

test(
  'without a worker calls end at once and cost nothing, and the next worker serves the first that comes',
  SLOW,
  async () => {
    const agent = await newAgent()
    const policy = await newPolicy(agent.owner, [SERVERS.memory])
    const worker = await readyWorker(policy)
    expect((await callTool(agent, 'memory__read_graph')).status).toBe(200)
    worker.kill('SIGTERM')
    await worker.exited
    for (let n = 0; n < 20; n++)
      expect((await callTool(agent, 'memory__read_graph')).body).toMatchObject({
        error: { details: { code: 'worker_absent' } },
      })
    expect(await usageOf(agent)).toMatchObject({ invoked: 1, credited: 0 })
    await readyWorker(policy)
    expect((await callTool(agent, 'memory__read_graph')).status).toBe(200)
  },
)
