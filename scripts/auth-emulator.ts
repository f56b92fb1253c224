#!/usr/bin/env node
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createRequire, flushCompileCache } from 'node:module'
import { parseArgs } from 'node:util'
import { makeLazy, type Validators } from './stack/lazy-schemas.ts'
import { HOST, isFree } from './stack/ports.ts'

/**
 * The Firebase CLI's Auth emulator as a process: `auth-emulator.ts --project demo-… [--port 9099]`. The CLI itself takes three times as long to
 * start it, since it loads all its commands, and runs a hub and a log server beside it. Prints one line when ready, then what the emulator
 * tells its users; ends on SIGTERM and SIGINT; exits 1 with one line when it can't start.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '9099' }, project: { type: 'string' } },
  })
  const port = Number(values.port)
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535)
    throw new Error(`--port must be a number from 0 to 65535, not ${values.port}.`)
  if (!values.project?.startsWith('demo-')) throw new Error(`--project must be demo-*, not ${values.project}.`)
  // Asked before the emulator is loaded, which takes a second.
  if (!(await isFree(port)))
    throw new Error(`Port ${port} on ${HOST} is in use. Stop what listens there, or choose another port.`)
  const server = createServer(await loadEmulator(values.project)).listen(port, HOST)
  await once(server, 'listening')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))
  console.log(`Auth emulator ready on ${HOST}:${port}`)
  // Node does this when a process ends, unless it is killed.
  flushCompileCache()
}

/** What the CLI serves on the emulator's port, with its messages on stdout. It comes from the inside of the one version in package-lock.json. */
async function loadEmulator(project: string): Promise<RequestListener> {
  const require = createRequire(import.meta.url)
  const ofCli = createRequire(require.resolve('firebase-tools/package.json'))
  makeLazy(ofCli('exegesis/lib/oas3/Schema/validators') as Validators)
  process.env['IS_FIREBASE_CLI'] = 'true'
  const { useConsoleLoggers } = ofCli('./lib/logger') as { useConsoleLoggers(): void }
  useConsoleLoggers()
  const { SingleProjectMode } = ofCli('./lib/emulator/auth') as { SingleProjectMode: { WARNING: number } }
  const { createApp } = ofCli('./lib/emulator/auth/server') as {
    createApp(project: string, mode: number): Promise<RequestListener>
  }
  return createApp(project, SingleProjectMode.WARNING)
}

main().catch((error: unknown) => {
  console.error(`Auth emulator: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
})
