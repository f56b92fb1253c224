import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.ts'
import { measure, type Level, type Tool } from './bench/measure.ts'
import { printReport } from './bench/report.ts'
import { freePorts } from './stack/ports.ts'
import { startStack } from './stack/stack.ts'

const HELP = `npm run bench [-- options]: direct calls against invokeTool, interleaved, with what each costs.

  --calls <n>    invocations at each level of parallelism (default 2000; a tenth of it one at a time)
  --json         one JSON object on standard output
  --help`

const PARALLEL = [1, 16, 64]
/** An `http` tool, and a warm stdio server behind the tools worker; "direct" is the tool's or the worker's own HTTP. */
const TOOLS: readonly Tool[] = ['http', 'worker']
/** Not reported: both Node and the emulator's Java compile what runs often, and take some seconds to. */
const WARM_UP_CALLS = 5_000

/**
 * Everything is on this machine: load generator, functions (under functions-framework, in one process), upstream, Firestore
 * emulator and local KMS. Compare ratios and counts, not times, between machines.
 */
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
  const stack = await startStack({ dir, persist: false, seed: true })
  try {
    const [probePort] = (await freePorts(1)) as [number]
    await stack.killFunctions('SIGTERM')
    await stack.startFunctions({
      NODE_OPTIONS: `--import ${new URL('bench/probe.ts', import.meta.url).href}`,
      BENCH_PROBE_PORT: String(probePort),
    })
    const probe = `http://127.0.0.1:${probePort}/`
    if (!values.json) console.error('warming up …')
    for (const tool of TOOLS) await measure({ info: stack.info, probe, tool, parallel: 64, calls: WARM_UP_CALLS })
    const levels: Level[] = []
    for (const [tool, parallel] of TOOLS.flatMap((kind) => PARALLEL.map((count) => [kind, count] as const))) {
      if (!values.json) console.error(`measuring ${tool}, ${parallel} in parallel …`)
      levels.push(
        await measure({
          info: stack.info,
          probe,
          tool,
          parallel,
          calls: parallel === 1 ? Math.ceil(calls / 10) : calls,
        }),
      )
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
