import { Worker } from 'node:worker_threads'
import { Vitrine } from '../../sdk/src/index.ts'
import type { StackInfo } from '../stack/info.ts'
import { load, type Requests } from './load.ts'
import { cpuUsOf, startFloor, type Other } from './others.ts'
import type { Counts } from './probe.ts'
import { workerTool } from './worker-tool.ts'

/** An HTTP endpoint, an MCP server whose list is looked at once a minute, and a server that the tools worker runs. */
export type Tool = 'http' | 'mcp' | 'worker'

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
  /** mcp-proxy, measured in the same rounds. */
  peer: Times & { cpuUs: number; ratios: { perSecond: number; cpu: number } }
  /** The floor of the design (floor.ts), with calls one at a time. */
  floor?: Times & { cpuUs: number; ratio: number }
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
  peer: Other
  tool: Tool
  parallel: number
  calls: number
}): Promise<Level> {
  const { info, probe, peer, tool, parallel, calls } = options
  const upstream = await startUpstream()
  const floor = parallel === 1 ? await startFloor(info.firestore, info.project, upstream.url) : undefined
  try {
    const { direct, invoke } = await prepare(info, tool, upstream.url)
    const sides: Side[] = [
      { name: 'direct', requests: direct },
      ...(floor ? [{ name: 'floor' as const, requests: floor.requests, pid: floor.pid }] : []),
      { name: 'peer', requests: peer.requests, pid: peer.pid },
      { name: 'invoke', requests: invoke },
    ]
    const each = Math.ceil(calls / ROUNDS)
    const rounds: Round[] = []
    for (const { requests } of sides) await load(requests, parallel, each)
    await takeCounts(probe)
    for (let round = 0; round < ROUNDS; round++) rounds.push(await measureRound(sides, parallel, each))
    return summarize(tool, parallel, rounds, await takeCounts(probe))
  } finally {
    await floor?.stop()
    await upstream.stop()
  }
}

interface Side {
  name: 'direct' | 'floor' | 'peer' | 'invoke'
  requests: Requests
  /** Whose CPU time is taken; that of the functions comes from their probe. */
  pid?: number
}

type Round = Partial<Record<Side['name'], Measured>>

/** Each side in turn. */
async function measureRound(sides: readonly Side[], parallel: number, calls: number): Promise<Round> {
  const round: Round = {}
  for (const { name, requests, pid } of sides) {
    const beforeUs = pid === undefined ? 0 : await cpuUsOf(pid)
    const measured = await load(requests, parallel, calls)
    round[name] = { ...measured, cpuUs: pid === undefined ? 0 : (await cpuUsOf(pid)) - beforeUs }
  }
  return round
}

async function prepare(info: StackInfo, tool: Tool, url: string): Promise<{ direct: Requests; invoke: Requests }> {
  const owner = new Vitrine({ baseUrl: info.baseUrl, key: info.demo!.owner.key })
  await owner.quota.set({ monthlyInvocations: 1_000_000_000 })
  const { agentId, key } = await owner.agents.create({ name: 'bench' })
  if (tool === 'worker') return workerTool(info, key)
  const token = 'bench-token-0123456789'
  await owner.tools.register({
    agentId,
    name: 'echo',
    authToken: token,
    ...(tool === 'mcp' ? { kind: tool, url: `${url}mcp`, manifestMaxAgeMs: 60_000 } : { kind: tool, url }),
  })
  const args = { q: 'latest inflation print', limit: 5 }
  const headers = { 'content-type': 'application/json' }
  const direct =
    tool === 'mcp'
      ? {
          url: `${url}mcp`,
          body: JSON.stringify({
            jsonrpc: '2.0',
            id: 1,
            method: 'tools/call',
            params: { name: 'echo', arguments: args },
          }),
        }
      : { url, body: JSON.stringify(args) }
  return {
    direct: { ...direct, headers: { ...headers, authorization: `Bearer ${token}` } },
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

function summarize(tool: Tool, parallel: number, rounds: readonly Round[], counts: Counts): Level {
  const [direct, peer, invoke] = (['direct', 'peer', 'invoke'] as const).map((name) => together(rounds, name)) as [
    Measured,
    Measured,
    Measured,
  ]
  const floor = rounds[0]?.floor && together(rounds, 'floor')
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
    peer: {
      ...timesOf(peer),
      cpuUs: cpuPerCall(peer),
      ratios: {
        perSecond: round(median(rounds.map((one) => one.peer!.totalMs / one.invoke!.totalMs)), 2),
        cpu: round(counts.cpuUs / calls / (peer.cpuUs / calls), 2),
      },
    },
    ...(floor && {
      floor: { ...timesOf(floor), cpuUs: cpuPerCall(floor), ratio: round(median(rounds.map(overFloor)), 2) },
    }),
  }
}

/** What an invocation adds to a direct call at the median, over what the floor adds. */
function overFloor({ direct, floor, invoke }: Round): number {
  const [base, least, ours] = [direct, floor, invoke].map((side) => median(side!.latenciesMs)) as [
    number,
    number,
    number,
  ]
  return (ours - base) / (least - base)
}

interface Measured {
  latenciesMs: number[]
  totalMs: number
  /** Of all calls together. */
  cpuUs: number
}

function together(rounds: readonly Round[], name: Side['name']): Measured {
  const measured = rounds.map((round) => round[name]!)
  return {
    latenciesMs: measured.flatMap(({ latenciesMs }) => latenciesMs),
    totalMs: measured.reduce((sum, { totalMs }) => sum + totalMs, 0),
    cpuUs: measured.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
  }
}

function cpuPerCall({ cpuUs, latenciesMs }: Measured): number {
  return Math.round(cpuUs / latenciesMs.length)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function timesOf({ latenciesMs, totalMs }: Measured): Times {
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!, 2)
  return { p50Ms: at(0.5), p99Ms: at(0.99), perSecond: Math.round((sorted.length / totalMs) * 1000) }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
