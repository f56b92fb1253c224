/** `npm start`: builds Vitrine and runs it on this machine until Ctrl-C; options and the state's folder in HELP below. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { readEgressPolicy } from '../functions/src/egress/policy.ts'
import { build } from './build.ts'
import { findFirestoreJar } from './stack/firestore-jar.ts'
import { heapFor } from './stack/heap.ts'
import type { StackInfo } from './stack/info.ts'
import { findJava } from './stack/java.ts'
import { lockDir } from './stack/lock.ts'
import { ROOT } from './stack/paths.ts'
import { isFree } from './stack/ports.ts'
import { DEMO_SERVERS } from './stack/seed-policy.ts'
import { DEMO_TOOL } from './stack/seed.ts'
import { LOOPBACK, type Ports } from './stack/services.ts'
import { startStack } from './stack/stack.ts'

/** Where each part listens: the flag `--port-…` wins over the environment variable, which wins over the default. */
const PORTS = {
  functions: { flag: 'port-functions', variable: 'PORT_FUNCTIONS', port: 5001 },
  firestore: { flag: 'port-firestore', variable: 'PORT_FIRESTORE', port: 8080 },
  auth: { flag: 'port-auth', variable: 'PORT_AUTH', port: 9099 },
  kms: { flag: 'port-kms', variable: 'PORT_KMS', port: 9080 },
  demoApi: { flag: 'port-demo-api', variable: 'PORT_DEMO_API', port: 5002 },
} as const satisfies Record<keyof Ports, { flag: string; variable: string; port: number }>

const HELP = `npm start [-- options]: builds and runs Vitrine on this machine; Ctrl-C saves its state and stops it.

  --dir <folder>     where state and logs are kept (default .local)
${Object.values(PORTS)
  .map(({ flag, variable, port }) => `  --${flag} <n>`.padEnd(26) + `or ${variable} (default ${port})`)
  .join('\n')}
  --yes              gets Java and the emulator without asking when they are missing
  --help`

/** Signals that follow the first one this closely are the same Ctrl-C: the terminal, npm and bootstrap.mjs each send it. */
const SAME_SIGNAL_MS = 1_000

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string', default: join(ROOT, '.local') },
      help: { type: 'boolean', default: false },
      ...Object.fromEntries(Object.values(PORTS).map(({ flag }) => [flag, { type: 'string' as const }])),
    },
  })
  if (values.help) return console.log(HELP)
  const ports = choosePorts(values)
  // Checked here too, because the functions would report it in their log only.
  readEgressPolicy(process.env)
  heapFor()
  // And these before a build that would be for nothing.
  await findJava(findFirestoreJar().javaMin)
  const dir = resolve(values.dir)
  const stop = stopAsked()
  await mkdir(dir, { recursive: true })
  const unlock = await lockDir(dir)
  try {
    await checkPorts(ports)
    await build()
    await run(dir, ports, stop)
  } finally {
    await unlock()
  }
}

/** Runs a stack until it is asked to stop. Errors: it does not start, or one of its processes cannot be kept running. */
async function run(dir: string, ports: Ports, stop: AbortSignal): Promise<void> {
  console.log('Starting: Firestore, Auth, KMS, functions …')
  if (process.env['VITRINE_EGRESS_ALLOW'] === undefined)
    console.log(`VITRINE_EGRESS_ALLOW is not set: tools may also live on this machine (${LOOPBACK}).`)
  const log = (line: string): void => console.error(`vitrine: ${line}`)
  const stack = await startStack({ dir, ports, persist: true, seed: true, signal: stop, log }).catch(
    unlessAborted(stop),
  )
  if (stack === undefined) return
  const file = join(dir, 'stack.json')
  await writeInfo(file, stack.info)
  console.log(summary(stack.info, dir))
  const broken = await Promise.race([stack.broken, aborted(stop)])
  await rm(file, { force: true })
  if (broken !== undefined) {
    await stack.stop().catch((error: Error) => log(error.message))
    throw new Error(broken)
  }
  console.log('\nSaving state and stopping …')
  await stack.stop()
}

function choosePorts(flags: Record<string, unknown>): Ports {
  const chosen = Object.entries(PORTS).map(([name, { flag, variable, port }]) => {
    const text = flags[flag] ?? process.env[variable] ?? String(port)
    if (typeof text !== 'string' || !/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65_535) {
      throw new Error(`--${flag} (or ${variable}) must be a port from 1 to 65535, not ${String(text)}.`)
    }
    return [name, Number(text)]
  })
  return Object.fromEntries(chosen) as Ports
}

async function checkPorts(ports: Ports): Promise<void> {
  for (const [name, { flag, variable }] of Object.entries(PORTS)) {
    const port = ports[name as keyof Ports]
    if (!(await isFree(port)))
      throw new Error(
        `Port ${port} is in use: stop what runs there, or choose another with --${flag} <n> or ${variable}=<n>.`,
      )
  }
}

/**
 * Aborts on Ctrl-C, on SIGTERM and SIGHUP, and when bootstrap.mjs is gone. A second Ctrl-C ends this process at once, and
 * every process that it has started ends with it.
 */
function stopAsked(): AbortSignal {
  const asked = new AbortController()
  process.once('disconnect', () => asked.abort())
  let firstAt = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!asked.signal.aborted) {
        firstAt = Date.now()
        asked.abort()
      } else if (Date.now() - firstAt > SAME_SIGNAL_MS) {
        console.error('vitrine: stopped at once; what was saved last is kept')
        process.exit(1)
      }
    })
  }
  return asked.signal
}

/** Giving up a start on demand is not an error. */
function unlessAborted(signal: AbortSignal): (error: unknown) => undefined {
  return (error) => {
    if (!signal.aborted) throw error
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** The file holds keys, so only the user may read it. */
async function writeInfo(file: string, info: StackInfo): Promise<void> {
  await writeFile(`${file}.part`, `${JSON.stringify(info, null, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.part`, file)
}

function summary(info: StackInfo, dir: string): string {
  const lines = [
    'Vitrine runs.',
    '',
    `  functions   ${info.baseUrl}/{${Object.keys(info.functions).join(',')}}`,
    `  firestore   ${info.firestore}`,
    `  auth        ${info.auth}`,
    `  kms         ${info.kms}`,
    ...(info.worker
      ? [`  worker      ${info.worker.url} (tools ${DEMO_SERVERS.join(', ')}; installed on the first start)`]
      : []),
    `  state       ${dir} (stack.json, logs/)`,
  ]
  if (info.demo) lines.push('', 'Invoke a tool as the demo agent:', '', curl(info, info.demo.agent.key))
  return [...lines, '', 'Ctrl-C saves the state and stops everything.'].join('\n')
}

function curl({ functions }: StackInfo, key: string): string {
  const data = JSON.stringify({ data: { name: DEMO_TOOL, args: { city: 'Paris' } } })
  return `curl -s ${functions['invokeTool']} -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' -d '${data}'`
}

// Writing fails once the terminal is closed. The state must be saved all the same.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(`vitrine: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  },
)
