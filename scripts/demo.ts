/** `npm run demo`: shows what Vitrine does, and checks it, on the running stack or on one of its own. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.ts'
import { createStage } from './demo/stage.ts'
import { tell } from './demo/story.ts'
import type { StackInfo } from './stack/info.ts'
import { ROOT } from './stack/paths.ts'
import { startStack } from './stack/stack.ts'

const HELP = `npm run demo [-- --stack <file>]: shows the main job on the stack that npm start runs, or on one of its own.

  --stack <file>   where the running stack describes itself (default .local/stack.json)`

/** Exits with 0 only when every check has passed. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      stack: { type: 'string', default: join(ROOT, '.local/stack.json') },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(HELP)
  const stage = createStage(console.log)
  console.log('Vitrine: an agent sees what a tool answers, never the credential that opened it.')
  const running = await runningStack(values.stack)
  if (running) {
    console.log(`Using the stack that runs at ${running.baseUrl}.`)
    await tell(stage, running)
  } else {
    await withOwnStack((info) => tell(stage, info))
  }
  console.log(`\nDone: all ${stage.checks()} checks passed.`)
}

/** Reads the file that describes a stack. Undefined when it is missing or its functions do not answer. */
async function runningStack(file: string): Promise<StackInfo | undefined> {
  try {
    const info = JSON.parse(await readFile(file, 'utf8')) as StackInfo
    const response = await fetch(info.functions['listTools']!, { signal: AbortSignal.timeout(5_000) })
    await response.arrayBuffer()
    // listTools takes POST only. Another server at that port would answer differently.
    return response.status === 405 ? info : undefined
  } catch {
    return undefined
  }
}

/** Starts a stack on free ports, and removes it afterwards, also after Ctrl-C. */
async function withOwnStack(use: (info: StackInfo) => Promise<void>): Promise<void> {
  console.log('No stack is running, so this starts one of its own; that takes some seconds …')
  const dir = await mkdtemp(join(tmpdir(), 'vitrine-demo-'))
  const asked = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => asked.abort(new Error('stopped')))
  const stopped = new Promise<never>((_resolve, reject) => {
    asked.signal.addEventListener('abort', () => reject(new Error('stopped')))
  })
  stopped.catch(() => undefined)
  try {
    await build()
    const stack = await startStack({ dir, persist: false, signal: asked.signal }).catch((error: Error) => {
      throw asked.signal.aborted ? asked.signal.reason : error
    })
    try {
      await Promise.race([use(stack.info), stopped])
    } finally {
      await stack.stop()
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(`\nvitrine demo: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  },
)
