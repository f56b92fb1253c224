import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initializeApp } from 'firebase-admin/app'
import { getFirestore, type Firestore } from 'firebase-admin/firestore'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startChild, untilReady, type Child } from '../../scripts/stack/child.ts'
import { findFirestoreJar } from '../../scripts/stack/firestore-jar.ts'
import { findJava } from '../../scripts/stack/java.ts'
import { freePorts, HOST } from '../../scripts/stack/ports.ts'
import { firestoreService } from '../../scripts/stack/services.ts'
import { firestoreExport, latestSnapshot, takeSnapshot } from '../../scripts/stack/snapshot.ts'
import { checkChain } from '../e2e/chain.ts'
import { startFunctions, type Functions } from '../e2e/functions.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { call, done, newOwner, type Agent } from '../e2e/world.ts'
import { stack } from '../stack/stack.ts'
import { account, callNumbered, codeOf, passed, type Numbered } from './account.ts'
import { startLine, type Line } from './line.ts'

/**
 * A separate Firestore emulator, so that killing it and running its scheduled reconciler does not disturb other tests.
 */
interface Emulator {
  host: string
  start(): Promise<void>
  save(): Promise<void>
  kill(): Promise<void>
}

let dir: string
let emulator: Emulator
let line: Line
let functions: Functions
let upstream: Upstream
let store: Firestore
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vitrine-restart-'))
  emulator = await createEmulator()
  await emulator.start()
  line = await startLine(emulator.host)
  functions = await startFunctions({ FIRESTORE_EMULATOR_HOST: line.host, VITRINE_RECONCILE_AFTER_MS: '1000' })
  upstream = await startUpstream()
  process.env['FIRESTORE_EMULATOR_HOST'] = emulator.host
  process.env['METADATA_SERVER_DETECTION'] = 'none'
  store = getFirestore(initializeApp({ projectId: stack().project }, 'restarted'))
})
afterAll(async () => {
  await functions.stop()
  await line.close()
  await emulator.kill()
  await upstream.close()
  await rm(dir, { recursive: true, force: true })
})

/**
 * The emulator forgets its data when killed; Firestore keeps what it acknowledged. To kill it as Firestore would die,
 * the test first holds the connection: the data saved then includes everything that any caller was told, and perhaps
 * more.
 */
it(
  '[ledger.restarted] adds up after a kill and restart of Firestore under load, without a restart of the functions',
  { timeout: 240_000 },
  async () => {
    const agent = await newAgent()
    const calls: Numbered[] = []
    const load = startLoad(agent, calls)
    await expect.poll(() => calls.filter(passed).length).toBeGreaterThan(64)

    line.set('held')
    await emulator.save()
    await emulator.kill()
    await emulator.start()
    line.set('open')
    const before = calls.length
    await expect.poll(() => calls.slice(before).filter(passed).length).toBeGreaterThan(64)
    await load.stop()

    expect(calls.map(codeOf).filter((code) => !['ok', 'unavailable', 'ledger_unavailable'].includes(code))).toEqual([])
    await expect.poll(openCalls(agent)).toEqual([])
    const { usage, head } = await account(agent, upstream, calls, store)
    expect(usage.invoked).toBeGreaterThanOrEqual(calls.filter(passed).length)
    // What arrived at the tool is charged. A unit may be given back for a call whose time was up before it was sent.
    const hits = upstream.hits.filter(({ url }) => url.includes(agent.id)).length
    expect(usage.invoked - usage.credited).toBeGreaterThanOrEqual(hits)
    await runScheduledReconcile()
    expect((await checkChain(`agents/${agent.id}`, store)).head).toBe(head)
  },
)

async function newAgent(): Promise<Agent> {
  const owner = await newOwner()
  const by = { bearer: owner.bearer, baseUrl: functions.baseUrl }
  const { agentId, key } = await done<{ agentId: string; key: string }>(call('admin/createAgent', { name: 'Bot' }, by))
  await done(call('registerTool', { agentId, name: 'tool', kind: 'http', url: `${upstream.origin}/ok/${agentId}` }, by))
  return { id: agentId, key, owner }
}

/** 32 callers that each make one call after the other. */
function startLoad(agent: Agent, calls: Numbered[]): { stop(): Promise<void> } {
  let stopping = false
  const callers = Array.from({ length: 32 }, async () => {
    while (!stopping) calls.push(await callNumbered(agent, functions.baseUrl))
  })
  return {
    async stop() {
      stopping = true
      await Promise.all(callers)
    },
  }
}

function openCalls(agent: Agent): () => Promise<string[]> {
  return async () => {
    await runScheduledReconcile()
    return (await checkChain(`agents/${agent.id}`, store)).open
  }
}

/** Runs the scheduled function as Cloud Scheduler does. */
async function runScheduledReconcile(): Promise<void> {
  const response = await fetch(`${functions.baseUrl}/reconcile`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  expect(response.status).toBe(200)
  await response.arrayBuffer()
}

async function createEmulator(): Promise<Emulator> {
  const { project, auth } = stack()
  const [firestore] = (await freePorts(1)) as [number]
  const host = `${HOST}:${firestore}`
  const jar = findFirestoreJar()
  const java = await findJava(jar.javaMin)
  let child: Child
  return {
    host,
    async start() {
      const snapshot = await latestSnapshot(dir)
      const ports = { functions: 0, firestore, auth: 0, kms: 0, demoApi: 0 }
      const service = firestoreService(
        { project, dir, ports },
        java.command,
        jar,
        snapshot && firestoreExport(snapshot),
      )
      child = startChild(service)
      await untilReady(child, service)
    },
    save: () => takeSnapshot(dir, { project, firestore: host, auth }),
    async kill() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}
