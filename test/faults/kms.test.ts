import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startChild, untilReady, type Child } from '../../scripts/stack/child.ts'
import { freePorts, HOST } from '../../scripts/stack/ports.ts'
import { kmsService } from '../../scripts/stack/services.ts'
import { startFunctions, type Functions } from '../e2e/functions.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { call, done, leaks, newAgent, newSecret, setLimit, type Agent } from '../e2e/world.ts'
import { stack } from '../stack/stack.ts'
import { account, arrived, callMany, callNumbered, codeOf, passed, type Numbered } from './account.ts'
import { startLine, type Line } from './line.ts'

/** KMS goes away under load and comes back; the functions process keeps running. */

let dir: string
let kms: { start(): Promise<void>; kill(): Promise<void> }
let line: Line
let functions: Functions
let upstream: Upstream
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-kms-'))
  const [port] = (await freePorts(1)) as [number]
  kms = kmsAt(port)
  await kms.start()
  line = await startLine(`${HOST}:${port}`)
  functions = await startFunctions({ KMS_EMULATOR_HOST: line.host })
  upstream = await startUpstream({ brief: (_hit, response) => void setTimeout(() => response.end('{}'), 20) })
})
afterAll(async () => {
  await functions.stop()
  await line.close()
  await kms.kill()
  await upstream.close()
  await rm(dir, { recursive: true, force: true })
})

it('[credential.kms-down] forwards nothing and charges nothing from the kill of KMS to its return', async () => {
  const agent = await newAgentWithCredential()
  await setLimit(agent.owner, 200)
  const calls: Numbered[] = []
  let killed = false
  const tryAgain = async (): Promise<string> => {
    calls.push(await callNumbered(agent, functions.baseUrl))
    return codeOf(calls.at(-1)!)
  }
  const callers = Array.from({ length: 32 }, async () => {
    // Every caller has met both states of KMS: available and gone.
    for (let last: Numbered | undefined; last === undefined || passed(last);) {
      calls.push((last = await callNumbered(agent, functions.baseUrl)))
      if (!killed && calls.length >= 48) {
        killed = true
        await kms.kill()
      }
    }
  })
  await Promise.all(callers)
  await checkCharges(agent, calls)

  await kms.start()
  await expect.poll(tryAgain).toBe('ok')
  // Failed calls cost nothing: the successful ones meet the limit to the unit.
  while (calls.filter(passed).length < 200)
    calls.push(...(await callMany(agent, Math.min(32, 200 - calls.filter(passed).length), functions.baseUrl)))
  await checkCharges(agent, calls)
  expect(codeOf(await callNumbered(agent, functions.baseUrl))).toBe('quota_exceeded')
})

it('[credential.kms-down] waits only so long for a KMS that takes the question and says nothing', async () => {
  const agent = await newAgentWithCredential()
  line.set('held')
  const waited = await callNumbered(agent, functions.baseUrl)
  expect(codeOf(waited)).toBe('kms_unavailable')
  await checkCharges(agent, [waited])
  line.set('open')
  await expect.poll(async () => codeOf(await callNumbered(agent, functions.baseUrl))).toBe('ok')
  expect(leaks()).toEqual([])
})

/** Checks that each call was forwarded and charged, or neither, and that its answer said so. */
async function checkCharges(agent: Agent, calls: readonly Numbered[]): Promise<void> {
  expect([...new Set(calls.map(codeOf))].filter((code) => code !== 'ok' && code !== 'kms_unavailable')).toEqual([])
  const { usage, open } = await account(agent, upstream, calls)
  const forwarded = arrived(upstream.hits.filter(({ url }) => url.includes(agent.id)))
  expect(forwarded.toSorted((a, b) => a - b)).toEqual(
    calls
      .filter(passed)
      .map(({ number }) => number)
      .toSorted((a, b) => a - b),
  )
  expect([usage.invoked, usage.invoked - usage.credited, open]).toEqual([calls.length, forwarded.length, []])
}

async function newAgentWithCredential(): Promise<Agent> {
  const agent = await newAgent()
  const tool = {
    agentId: agent.id,
    name: 'tool',
    kind: 'http',
    url: `${upstream.origin}/brief/${agent.id}`,
    authToken: newSecret(),
  }
  await done(call('registerTool', tool, { bearer: agent.owner.bearer, baseUrl: functions.baseUrl }))
  return agent
}

/** A separate KMS; it keeps its keys between starts. */
function kmsAt(port: number): { start(): Promise<void>; kill(): Promise<void> } {
  const ports = { functions: 0, firestore: 0, auth: 0, kms: port, demoApi: 0 }
  let child: Child
  return {
    async start() {
      const service = kmsService({ project: stack().project, dir, ports })
      child = startChild(service)
      await untilReady(child, service)
    },
    async kill() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}
