/**
 * `npm run bench`: what a call costs through invokeTool and without it. Load generator, functions (under functions-framework,
 * in one process), upstream, Firestore emulator and local KMS all run on this machine, in a stack of their own: an emulator
 * that has served before is slower, and what else uses the stack would be measured too. Compare ratios and counts between
 * machines, not times.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.ts'
import { measure, type Level, type Tool } from './bench/measure.ts'
import { printReport } from './bench/report.ts'
import { FULL_SHARE } from './stack/heap.ts'
import { freePorts } from './stack/ports.ts'
import { startStack } from './stack/stack.ts'

const HELP = `npm run bench [-- options]: direct calls against invokeTool, interleaved, with what each costs.
It starts a fresh stack of its own; stop any other first, since it would share the machine.

  --calls <n>    invocations at each level of parallelism (default 2000; a tenth of it one at a time)
  --json         one JSON object on standard output
  --help`

const PARALLEL = [1, 16, 64]
/** An `http` tool, and a warm stdio server that the tools worker runs. A direct call asks the tool or the worker over HTTP. */
const TOOLS: readonly Tool[] = ['http', 'worker']
/** Not reported: Node and the emulator's Java need some seconds of load to compile the code that runs often. */
const WARM_UP_CALLS = 5_000

const FULL =
  'the Firestore emulator ran out of memory, so its pauses would have been measured: ' +
  'take fewer --calls, or give it more with VITRINE_FIRESTORE_HEAP_MIB'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '2000' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(HELP)
  const calls = Number(values.calls)
  if (!Number.isInteger(calls) || calls < 100) throw new Error('--calls takes a whole number from 100')
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
  const measureOne = async (tool: Tool, parallel: number, count: number): Promise<Level> => {
    const probe = `http://127.0.0.1:${probePort}/`
    const level = await measure({ info: stack.info, probe, tool, parallel, calls: count })
    if (stack.firestoreHeapShare() >= FULL_SHARE) throw new Error(FULL)
    return level
  }
  try {
    if (!values.json) console.error('warming up …')
    for (const tool of TOOLS) await measureOne(tool, 64, WARM_UP_CALLS)
    const levels: Level[] = []
    for (const [tool, parallel] of TOOLS.flatMap((kind) => PARALLEL.map((count) => [kind, count] as const))) {
      if (!values.json) console.error(`measuring ${tool}, ${parallel} in parallel …`)
      levels.push(await measureOne(tool, parallel, parallel === 1 ? Math.ceil(calls / 10) : calls))
    }
    if (values.json) console.log(JSON.stringify({ levels }))
    else printReport(levels)
  } finally {
    await stack.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

main().catch((error: Error) => {
  console.error(`bench: ${error.message}`)
  process.exitCode = 1
})
