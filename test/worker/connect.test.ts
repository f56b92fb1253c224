import { expect, test } from 'vitest'
import { newAgent } from '../e2e/world.ts'
import { callTool, newPolicy, readyWorker, said, SERVERS } from './world.ts'

test('a worker brings its servers up, and an agent calls them', { timeout: 120_000 }, async () => {
  const agent = await newAgent()
  const policy = await newPolicy(agent.owner, [SERVERS.everything])
  const worker = await readyWorker(policy)
  console.log(JSON.stringify(await worker.health()))
  expect((await worker.health()).servers).toMatchObject([{ slug: 'everything', state: 'ready' }])
  expect(await said(callTool(agent, 'everything__echo', { message: 'hello' }))).toBe('Echo: hello')
  worker.kill('SIGTERM')
  expect(await worker.exited).toBe(0)
  expect(worker.output()).not.toContain(policy.key)
})
