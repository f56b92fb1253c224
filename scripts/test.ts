import { spawn } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { build } from './build.ts'
import { ROOT } from './stack/paths.ts'

/**
 * `npm test`: builds, lints, checks types and runs every test. Arguments (`npm test -- core/src/jcs.test.ts`) go to vitest, and
 * lint and types are left out then. `.cache/test-report.json` gets the report for machines.
 */
const REPORT = '.cache/test-report.json'

const CHECKS: Readonly<Record<string, string[]>> = {
  eslint: ['.', '--max-warnings=0'],
  prettier: ['--check', '--log-level', 'warn', '--cache', '--cache-location', '.cache/prettier', '.'],
  tsc: ['--noEmit', '-p', 'tsconfig.json', '--incremental', '--tsBuildInfoFile', '.cache/tsc.tsbuildinfo'],
}

/** Names of what failed. */
async function testAll(args: readonly string[]): Promise<string[]> {
  process.chdir(ROOT)
  await mkdir('.cache', { recursive: true })
  await rm(REPORT, { force: true })
  await build()
  const vitest = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`, ...args]
  if (args.length > 0) return run('vitest', vitest)
  const checks = await Promise.all(Object.entries(CHECKS).map(([command, options]) => run(command, options)))
  const failed = await run('vitest', vitest)
  await printSkipped()
  return [...checks.flat(), ...failed]
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
const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const

/** Runs a command of node_modules/.bin, its output going to the terminal. */
function run(command: string, args: readonly string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' })
    const stop = (): boolean => child.kill('SIGTERM')
    for (const event of STOPS) process.once(event, stop)
    child.once('error', reject)
    child.once('exit', (code) => {
      for (const event of STOPS) process.removeListener(event, stop)
      resolve(code === 0 ? [] : [command])
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
