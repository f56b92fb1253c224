import { Worker } from 'node:worker_threads'
import { Vitrine } from '../../sdk/src/index.ts'
import type { StackInfo } from '../stack/info.ts'
import { load, type Requests } from './load.ts'
import type { Counts } from './probe.ts'
import { workerTool } from './worker-tool.ts'

export type Tool = 'http' | 'worker'

export interface Level {
  tool: Tool
  parallel: number
  calls: number
  direct: Times
  invoke: Times
  /** How many times as long an invocation takes, at the median. */
  ratio: number
  /** Per invocation. */
  operations: { reads: number; writes: number; deletes: number; kms: number; commits: number }
  /** Of Firestore and KMS at list price, US dollars per million invocations. */
  dollarsPerMillion: number
  /** Mean milliseconds of an invocation by step; what the steps leave of the whole is HTTP and framework. */
  stepsMs: Record<string, number>
  /** CPU of the functions process per invocation, microseconds. */
  cpuUs: number
}

export interface Times {
  p50Ms: number
  p99Ms: number
  perSecond: number
}

/** US dollars an operation, as listed for one region (us-central1) in November 2026. */
const PRICES = { reads: 0.03 / 100_000, writes: 0.09 / 100_000, deletes: 0.01 / 100_000, kms: 0.03 / 10_000 }

const ROUNDS = 5

/** Direct and dispatched calls in alternating rounds, so that both see the same machine. */
export async function measure(options: {
  info: StackInfo
  probe: string
  tool: Tool
  parallel: number
  calls: number
}): Promise<Level> {
  const { info, probe, tool, parallel, calls } = options
  const upstream = await startUpstream()
  try {
    const { direct, invoke } = await prepare(info, tool, upstream.url)
    const each = Math.ceil(calls / ROUNDS)
    await load(direct, parallel, each)
    await load(invoke, parallel, each)
    const times: Record<'direct' | 'invoke', { latenciesMs: number[]; totalMs: number }> = {
      direct: { latenciesMs: [], totalMs: 0 },
      invoke: { latenciesMs: [], totalMs: 0 },
    }
    await takeCounts(probe)
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, request] of [
        ['direct', direct],
        ['invoke', invoke],
      ] as const) {
        const { latenciesMs, totalMs } = await load(request, parallel, each)
        times[name].latenciesMs.push(...latenciesMs)
        times[name].totalMs += totalMs
      }
    }
    return summarize(tool, parallel, times.direct, times.invoke, await takeCounts(probe))
  } finally {
    await upstream.stop()
  }
}

async function prepare(info: StackInfo, tool: Tool, url: string): Promise<{ direct: Requests; invoke: Requests }> {
  const owner = new Vitrine({ baseUrl: info.baseUrl, key: info.demo!.owner.key })
  await owner.quota.set({ monthlyInvocations: 1_000_000_000 })
  const { agentId, key } = await owner.agents.create({ name: 'bench' })
  if (tool === 'worker') return workerTool(info, key)
  const token = 'bench-token-0123456789'
  await owner.tools.register({ agentId, name: 'echo', kind: 'http', url, authToken: token })
  const args = { q: 'latest inflation print', limit: 5 }
  const headers = { 'content-type': 'application/json' }
  return {
    direct: { url, headers: { ...headers, authorization: `Bearer ${token}` }, body: JSON.stringify(args) },
    invoke: {
      url: info.functions['invokeTool']!,
      headers: { ...headers, authorization: `Bearer ${key}` },
      body: JSON.stringify({ data: { name: 'echo', args } }),
    },
  }
}

/** A bare Node server on a thread of its own. */
async function startUpstream(): Promise<{ url: string; stop(): Promise<unknown> }> {
  const worker = new Worker(new URL('upstream.ts', import.meta.url))
  const port = await new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return { url: `http://127.0.0.1:${port}/`, stop: () => worker.terminate() }
}

async function takeCounts(probe: string): Promise<Counts> {
  return (await (await fetch(probe)).json()) as Counts
}

function summarize(tool: Tool, parallel: number, direct: Measured, invoke: Measured, counts: Counts): Level {
  const calls = invoke.latenciesMs.length
  const per = (total: number) => round(total / calls, 3)
  const { reads, writes, deletes, kms, commits } = counts
  const dollars = reads * PRICES.reads + writes * PRICES.writes + deletes * PRICES.deletes + kms * PRICES.kms
  const times = { direct: timesOf(direct), invoke: timesOf(invoke) }
  return {
    tool,
    parallel,
    calls,
    ...times,
    ratio: round(times.invoke.p50Ms / times.direct.p50Ms, 1),
    operations: { reads: per(reads), writes: per(writes), deletes: per(deletes), kms: per(kms), commits: per(commits) },
    dollarsPerMillion: round((dollars / calls) * 1e6, 2),
    stepsMs: Object.fromEntries(Object.entries(counts.stepsMs).map(([step, ms]) => [step, per(ms)])),
    cpuUs: Math.round(counts.cpuUs / calls),
  }
}

interface Measured {
  latenciesMs: number[]
  totalMs: number
}

function timesOf({ latenciesMs, totalMs }: Measured): Times {
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!, 2)
  return { p50Ms: at(0.5), p99Ms: at(0.99), perSecond: Math.round((sorted.length / totalMs) * 1000) }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
