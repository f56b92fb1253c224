import { spawn } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from './build.ts'
import { ROOT } from './stack/paths.ts'

/**
 * `npm test`: builds, lints, checks types and runs every test. Arguments (`npm test -- core/src/jcs.test.ts`) go to vitest, and
 * lint and types are left out then. `.cache/test-report.json` gets the report for machines.
 */
const REPORT = '.cache/test-report.json'

const CHECKS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['types or lint', 'node', 'scripts/check-sources.ts'],
  ['prettier', 'prettier', '--check', '--log-level', 'warn', '--cache', '--cache-location', '.cache/prettier', '.'],
]

/** Names of what failed. */
async function testAll(args: readonly string[]): Promise<string[]> {
  process.chdir(ROOT)
  // Every process that a test starts compiles a module once, not once each; so do vitest and the checks.
  process.env['NODE_COMPILE_CACHE'] ??= join(ROOT, '.cache/compile')
  await mkdir('.cache', { recursive: true })
  await rm(REPORT, { force: true })
  await build()
  const vitest = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`, ...args]
  const stop = stopAsked()
  if (args.length > 0) return run('vitest', ['vitest', ...vitest], 'inherit', stop)
  // Tests often wait for other processes; the checks use that time, one after the other.
  const [checks, tests] = await Promise.all([runChecks(stop), run('vitest', ['vitest', ...vitest], 'inherit', stop)])
  await printSkipped()
  return [...checks, ...tests]
}

async function runChecks(stop: AbortSignal): Promise<string[]> {
  const failed: string[] = []
  for (const [name, ...command] of CHECKS) {
    if (!stop.aborted) failed.push(...(await run(name, command, 'whole', stop)))
  }
  return failed
}

interface Report {
  testResults: { assertionResults: { status: string; ancestorTitles: string[] }[] }[]
}

/** Tests are skipped when something that they need is not on this machine; their titles say what. */
async function printSkipped(): Promise<void> {
  const report = await readFile(REPORT, 'utf8').then(
    (text) => JSON.parse(text) as Report,
    () => undefined,
  )
  const skipped =
    report?.testResults
      .flatMap((file) => file.assertionResults)
      .filter(({ status }) => status !== 'passed' && status !== 'failed') ?? []
  for (const title of new Set(skipped.map(({ ancestorTitles }) => ancestorTitles.join(' > '))))
    console.log(`Skipped: ${title}`)
}

/** A terminal's Ctrl-C reaches the commands by itself; what is sent to this process alone, or to npm, has to be passed on. */
function stopAsked(): AbortSignal {
  const asked = new AbortController()
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']) process.once(event, () => asked.abort())
  return asked.signal
}

/**
 * Runs a command of node_modules/.bin; its output goes to the terminal as it comes, or whole at its end. Resolves to
 * the name if it fails.
 */
function run(
  name: string,
  [command, ...args]: readonly string[],
  output: 'inherit' | 'whole',
  stop: AbortSignal,
): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(command!, args, { stdio: output === 'inherit' ? 'inherit' : ['ignore', 'pipe', 'pipe'] })
    const said: Buffer[] = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => said.push(chunk))
    const end = (): boolean => child.kill('SIGTERM')
    stop.addEventListener('abort', end)
    child.once('error', reject)
    child.once('close', (code) => {
      stop.removeEventListener('abort', end)
      process.stdout.write(Buffer.concat(said))
      resolve(code === 0 ? [] : [name])
    })
  })
}

testAll(process.argv.slice(2)).then(
  (failed) => {
    console.log(failed.length === 0 ? 'Everything passed.' : `FAILED: ${failed.join(', ')}`)
    process.exit(failed.length === 0 ? 0 : 1)
  },
  (error: unknown) => {
    console.error(`vitrine: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  },
)
