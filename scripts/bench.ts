/**
 * `npm run bench`: what a call costs through invokeTool and without it. Load generator, functions (under functions-framework,
 * in one process), upstream, Firestore emulator and local KMS all run on this machine, in a stack of their own: an emulator
 * that has served before is slower, and what else uses the stack would be measured too. Compare ratios and counts between
 * machines, not times.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.ts'
import { measure, type Level, type Tool } from './bench/measure.ts'
import { coldImport } from './bench/cold-import.ts'
import { goalsOf } from './bench/goals.ts'
import { startPeer, type Other } from './bench/others.ts'
import { profiled, type Packages } from './bench/profile.ts'
import { printPackages, printReport } from './bench/report.ts'
import { FULL_SHARE } from './stack/heap.ts'
import { freePorts } from './stack/ports.ts'
import { startStack } from './stack/stack.ts'

const HELP = `npm run bench [-- options]: direct calls against invokeTool, interleaved, with what each costs.
It starts a fresh stack of its own; stop any other first, since it would share the machine.

  --calls <n>    invocations at each level of parallelism (default 2000; a tenth of it one at a time)
  --tool <kind>  http, mcp or worker alone
  --parallel <n> this parallelism alone
  --profile      writes a .cpuprofile of the functions at the highest parallelism of the first tool, and prints its ten heaviest packages
  --json         one JSON object on standard output
  --help`

const PARALLEL = [1, 16, 64]
/** A direct call asks the tool or the worker over HTTP. */
const TOOLS: readonly Tool[] = ['http', 'mcp', 'worker']
/** Not reported: Node and the emulator's Java need some seconds of load to compile the code that runs often. */
const WARM_UP_CALLS = 5_000

const PROFILE = resolve('functions.cpuprofile')

const FULL =
  'the Firestore emulator ran out of memory, so its pauses would have been measured: ' +
  'take fewer --calls, or give it more with VITRINE_FIRESTORE_HEAP_MIB'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '2000' },
      tool: { type: 'string', default: '' },
      parallel: { type: 'string', default: '' },
      profile: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(HELP)
  const calls = Number(values.calls)
  if (!Number.isInteger(calls) || calls < 100) throw new Error('--calls takes a whole number from 100')
  const tools = TOOLS.filter((tool) => values.tool === '' || tool === values.tool)
  if (tools.length === 0) throw new Error(`--tool takes one of ${TOOLS.join(', ')}`)
  const parallels = values.parallel === '' ? PARALLEL : [Number(values.parallel)]
  if (!parallels.every((parallel) => Number.isInteger(parallel) && parallel > 0))
    throw new Error('--parallel takes a whole number from 1')
  await build()
  const dir = await mkdtemp(join(tmpdir(), 'vitrine-bench-'))
  const [probePort] = (await freePorts(1)) as [number]
  const stack = await startStack({
    dir,
    persist: false,
    seed: true,
    functionsEnv: {
      NODE_OPTIONS: `--import ${new URL('bench/probe.ts', import.meta.url).href}`,
      BENCH_PROBE_PORT: String(probePort),
    },
    log: (line) => console.error(`bench: ${line}`),
  })
  const probe = `http://127.0.0.1:${probePort}/`
  const measureOne = async (peer: Other, tool: Tool, parallel: number, count: number): Promise<Level> => {
    const level = await measure({ info: stack.info, probe, peer, tool, parallel, calls: count })
    if (stack.firestoreHeapShare() >= FULL_SHARE) throw new Error(FULL)
    return level
  }
  let peer: Other | undefined
  try {
    const beside = (peer = await startPeer())
    if (!values.json) console.error('warming up …')
    for (const tool of tools) await measureOne(beside, tool, 64, WARM_UP_CALLS)
    const levels: Level[] = []
    const cold = await coldImport()
    let packages: Packages | undefined
    for (const [tool, parallel] of tools.flatMap((kind) => parallels.map((count) => [kind, count] as const))) {
      if (!values.json) console.error(`measuring ${tool}, ${parallel} in parallel …`)
      const work = () => measureOne(beside, tool, parallel, parallel === 1 ? Math.ceil(calls / 10) : calls)
      if (values.profile && tool === tools[0] && parallel === Math.max(...parallels)) {
        const [level, heavy] = await profiled(probe, PROFILE, work)
        levels.push(level)
        packages = heavy
      } else levels.push(await work())
    }
    const goals = goalsOf(levels, cold)
    if (values.json)
      console.log(JSON.stringify({ levels, import: cold, goals, ...(packages && { packages, profile: PROFILE }) }))
    else printReport(levels, cold, goals)
    if (packages && !values.json) printPackages(packages, PROFILE)
  } finally {
    await peer?.stop()
    await stack.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

main().catch((error: Error) => {
  console.error(`bench: ${error.message}`)
  process.exitCode = 1
})
