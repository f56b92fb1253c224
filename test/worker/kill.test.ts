import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkChain } from '../e2e/chain.ts'
import { admin, done, newAgent, type Agent } from '../e2e/world.ts'
import { callTool, eventually, liveWorkers, newPolicy, readyWorker, type Worker } from './world.ts'

/** Workers that die in the middle of things. Their server makes an edit that shows how often it was made, and says that it must not be made twice. */

const CALLERS = 32
/** The deadline of each call; whoever waits for it was not answered "at once". */
const TIMEOUT_MS = 60_000
const AT_ONCE_MS = 30_000

/** The ways in which a call may end without an answer of the tool. */
const CODES = ['upstream_interrupted', 'upstream_unreachable', 'circuit_open']

interface Call {
  file: string
  /** `ok`, or the code of the error. */
  end: string
  ms: number
  /** How many workers had been killed when it was made, and when it was answered. */
  kills: [number, number]
}

test('workers killed under load leave every caller with an answer, no intent open and no edit made twice', { timeout: 240_000 }, async () => {
  const folder = await scratch()
  const agent = await newAgent()
  const policy = await newPolicy(agent.owner, [{ slug: 'files', package: '@modelcontextprotocol/server-filesystem', version: '2026.8.31', args: [folder] }])
  const workers = await Promise.all([readyWorker(policy), readyWorker(policy)])
  await eventually(async () => (await liveWorkers(agent.owner, policy)) === 2)

  const load = startLoad(agent, folder)
  const good = (kills: number) => load.calls.filter((call) => call.kills[0] === kills && call.end === 'ok').length
  await eventually(async () => good(0) >= 2 * CALLERS)
  await load.kill(workers[0])
  // The other one takes over.
  await eventually(async () => good(1) >= 2 * CALLERS)
  await load.kill(workers[1])
  await eventually(async () => load.calls.filter(({ kills, end }) => kills[0] === 2 && end !== 'ok').length >= CALLERS)
  await readyWorker(policy)
  await eventually(async () => good(2) >= 2 * CALLERS)
  const calls = await load.stop()

  const ends = new Set(calls.map(({ end }) => end))
  expect([...ends].filter((end) => end !== 'ok' && !CODES.includes(end))).toEqual([])
  expect(ends).toContain('upstream_interrupted')
  expect(calls.filter(({ ms }) => ms > AT_ONCE_MS)).toEqual([])
  // The death of one of two costs those that were with it, and nobody after them.
  expect(calls.filter(({ kills, end }) => kills.every((n) => n === 1) && end !== 'ok')).toEqual([])

  for (const { file, end } of calls) {
    const edits = (await readFile(join(folder, file), 'utf8')).length - 1
    if (end === 'ok') expect({ file, edits }).toEqual({ file, edits: 1 })
    // It was with the worker when that died: made or not, but not twice.
    else if (end === 'upstream_interrupted') expect({ file, edits: Math.min(edits, 1) }).toEqual({ file, edits })
    else expect({ file, edits }).toEqual({ file, edits: 0 })
  }

  await done(admin('reconcile', { agentId: agent.id }, agent.owner))
  const { entries, open } = await checkChain(`agents/${agent.id}`)
  expect(open).toEqual([])
  expect(entries.filter(({ action, meta }) => action === 'tool.invoke' && meta['ok'] === true)).toHaveLength(calls.filter(({ end }) => end === 'ok').length)
  await rm(folder, { recursive: true, force: true })
})

/** Written to by servers that run as users of their own. */
async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vitrine-kill-'))
  await chmod(folder, 0o777)
  return folder
}

/** Callers that each make one call after the other, on a file of its own each, until they are stopped. */
function startLoad(agent: Agent, folder: string): { calls: Call[]; kill(worker: Worker): Promise<void>; stop(): Promise<Call[]> } {
  const calls: Call[] = []
  let made = 0
  let kills = 0
  let stopped = false

  async function caller(): Promise<void> {
    while (!stopped) {
      const [file, before, startedMs] = [`${made++}.txt`, kills, Date.now()]
      await writeFile(join(folder, file), 'x', { mode: 0o666 })
      const { status, body } = await callTool(agent, 'files__edit_file', { path: join(folder, file), edits: [{ oldText: 'x', newText: 'xx' }] }, { timeoutMs: TIMEOUT_MS })
      calls.push({ file, end: endOf(status, body), ms: Date.now() - startedMs, kills: [before, kills] })
    }
  }

  const callers = Array.from({ length: CALLERS }, caller)
  return {
    calls,
    async kill(worker) {
      worker.kill('SIGKILL')
      await worker.exited
      kills++
    },
    async stop() {
      stopped = true
      await Promise.all(callers)
      return calls
    },
  }
}

function endOf(status: number, body: unknown): string {
  const { result, error } = body as { result?: { ok: boolean }; error?: { details: { code: string } } }
  return status === 200 && result ? (result.ok ? 'ok' : `refused by the tool: ${JSON.stringify(result)}`) : (error?.details.code ?? `status ${status}`)
}
