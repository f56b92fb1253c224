import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { checkChain } from '../e2e/chain.ts'
import { admin, done, newAgent, type Agent } from '../e2e/world.ts'
import { descendants } from '../stack/cli.ts'
import { withoutTypes } from '../../worker/src/server/stripped.fixture.ts'
import { openFile, openFolder } from './node-servers.ts'
import { callTool, eventually, liveWorkers, newPolicy, readyWorker, type Worker } from './world.ts'

/**
 * Kills workers during calls. Their server leaves a mark for each call it makes and declares that no call may be made
 * twice.
 */

const CALLERS = 32
/** The deadline of each call; a caller that waits this long was not answered at once. */
const TIMEOUT_MS = 60_000
const AT_ONCE_MS = 30_000
/** Calls that have left their mark and are still unanswered when their worker is killed. */
const INSIDE = 4

interface Call {
  file: string
  /** `ok`, or the code of the error. */
  end: string
  ms: number
  /** How many workers were dead when the call was made, and how many had been killed when it was answered. */
  kills: string
}

test(
  'workers killed under load leave every caller with an answer, no intent open and no call made twice',
  { timeout: 240_000 },
  async () => {
    const folder = await openFolder()
    const config = join(folder, 'worker.yaml')
    await writeFile(
      config,
      `mcp_servers:\n  - {name: marking, executable: node, args: ["${withoutTypes(join(import.meta.dirname, 'marking-server.ts'))}"], capabilities: [mark]}\n`,
    )
    const agent = await newAgent()
    const policy = await newPolicy(agent.owner, [{ slug: 'marking', node: true }])
    const start = (): Promise<Worker> => readyWorker(policy, { VITRINE_WORKER_CONFIG: config })
    const [first, second] = await Promise.all([start(), start()])
    await eventually(async () => (await liveWorkers(agent.owner, policy)) === 2)

    const load = startLoad(agent, folder)
    await eventually(async () => load.ended('0-0', 'ok') >= CALLERS)
    await load.kill(first)
    // The other worker takes over.
    await eventually(async () => load.ended('1-1', 'ok') >= 2 * CALLERS)
    await load.kill(second)
    await eventually(async () => load.ended('2-2', 'worker_absent') >= CALLERS)
    await start()
    await eventually(async () => load.ended('2-2', 'ok') >= CALLERS)
    const calls = await load.stop()

    expect([...new Set(calls.map(({ end }) => end))].sort().filter((end) => end !== 'circuit_open')).toEqual([
      'ok',
      'upstream_interrupted',
      'worker_absent',
    ])
    for (const kills of ['0-1', '1-2']) expect(load.ended(kills, 'upstream_interrupted')).toBeGreaterThan(0)
    // The death of one of two workers fails only the calls it had, and none after them.
    expect(calls.filter(({ kills, end }) => kills === '1-1' && end !== 'ok')).toEqual([])
    expect(calls.filter(({ ms }) => ms > AT_ONCE_MS)).toEqual([])

    const made = calls.map(({ file, end }) => ({ end, marks: marksIn(file).length }))
    expect(made.filter(({ end, marks }) => marks !== 1 && end === 'ok')).toEqual([])
    // An interrupted call may have been made or not, but never twice.
    expect(made.filter(({ end, marks }) => marks > 1 && end === 'upstream_interrupted')).toEqual([])
    expect(made.filter(({ end, marks }) => marks > 0 && (end === 'worker_absent' || end === 'circuit_open'))).toEqual(
      [],
    )

    await done(admin('reconcile', { agentId: agent.id }, agent.owner))
    const { entries, open } = await checkChain(`agents/${agent.id}`)
    expect(open).toEqual([])
    expect(entries.filter(({ action, meta }) => action === 'tool.invoke' && meta['ok'] === true)).toHaveLength(
      calls.filter(({ end }) => end === 'ok').length,
    )
  },
)

interface Load {
  /** The number of calls that ended like this so far. */
  ended(kills: string, end: string): number
  /** Kills a worker during calls. */
  kill(worker: Worker): Promise<void>
  stop(): Promise<Call[]>
}

/** Callers that each make one call after the other, each with its own file, until they are stopped. */
function startLoad(agent: Agent, folder: string): Load {
  const calls: Call[] = []
  const underWay = new Set<string>()
  let [made, killed, died, stopped] = [0, 0, 0, false]

  async function caller(): Promise<void> {
    while (!stopped) {
      const [file, diedBefore, startedMs] = [join(folder, `${made++}.txt`), died, Date.now()]
      await openFile(file)
      underWay.add(file)
      const { status, body } = await callTool(agent, 'marking__mark', { file }, { timeoutMs: TIMEOUT_MS })
      underWay.delete(file)
      const end = endOf(status, body)
      calls.push({ file, end, ms: Date.now() - startedMs, kills: `${diedBefore}-${killed}` })
      // Refusals take no time, so callers wait before the next call.
      if (end === 'circuit_open' || end === 'worker_absent') await sleep(200)
    }
  }

  const callers = Array.from({ length: CALLERS }, caller)
  return {
    ended: (between, how) => calls.filter(({ kills: of, end }) => of === between && end === how).length,
    async kill(worker) {
      const own = descendants(worker.pid).map(String)
      await eventually(
        async () => [...underWay].filter((file) => marksIn(file).some((pid) => own.includes(pid))).length >= INSIDE,
      )
      killed++
      worker.kill('SIGKILL')
      await worker.exited
      died++
    },
    async stop() {
      stopped = true
      await Promise.all(callers)
      return calls
    },
  }
}

/** Process ids of the servers that made a call. */
function marksIn(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').slice(0, -1)
}

function endOf(status: number, body: unknown): string {
  const { result, error } = body as { result?: { ok: boolean }; error?: { details: { code: string } } }
  return status === 200 && result
    ? result.ok
      ? 'ok'
      : `refused by the tool: ${JSON.stringify(result)}`
    : (error?.details.code ?? `status ${status}`)
}
