#!/usr/bin/env node
import { flushCompileCache } from 'node:module'
import { parseArgs } from 'node:util'
import { ensureKeys } from './kms/ensure-keys.ts'
import { startKms } from './kms/server.ts'

/**
 * The local KMS as a process: `kms-emulator.ts [--port 0] [--dir .local/kms] [--project demo-…]`. With a project it makes sure that
 * Vitrine's keys are there. Prints one line when ready; ends on SIGTERM and SIGINT; exits 1 with one line when it can't start.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      dir: { type: 'string', default: '.local/kms' },
      project: { type: 'string' },
    },
  })
  const port = Number(values.port)
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535)
    throw new Error(`--port must be a number from 0 to 65535, not ${values.port}.`)
  const { project } = values
  const kms = await startKms({ dir: values.dir, host: '127.0.0.1', port, ...(project !== undefined && { project }) })
  if (project !== undefined) await ensureKeys(kms.host, project)

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void kms.stop().then(() => process.exit(0)))
  }
  console.log(`Local KMS ready on ${kms.host}, keys in ${values.dir}`)
  // Node does this when a process ends, unless it is killed.
  flushCompileCache()
}

main().catch((error: unknown) => {
  console.error(`Local KMS: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
})
