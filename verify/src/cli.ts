import { parseOptions, USAGE, type Options } from './args.ts'
import { isBadInput } from './bad-input.ts'
import { readHeld } from './held.ts'
import { readPublicKeys, readWitnessKeys } from './keys.ts'
import type { Process } from './process.ts'
import { createProgress, NO_PROGRESS } from './progress.ts'
import { reportText } from './report-text.ts'
import { buildReport, type Report } from './report.ts'
import { openSource } from './source.ts'
import { verifyBundle } from './verify.ts'

/** The command vitrine-verify: verifies a bundle, prints the report, and returns the exit code. */

/** 0 if everything holds, 1 if anything does not, 2 if the input cannot be used, as with an interrupted bundle. */
const EXIT_CODES: Record<Report['result'], number> = { holds: 0, fails: 1, incomplete: 2 }

async function run(options: Options, process: Process): Promise<number> {
  const [publicKeys, witnesses, held] = await Promise.all([
    readPublicKeys(options.keys, process.cwd()),
    readWitnessKeys(options.witnesses, process.cwd()),
    readHeld(options.pins, options.receipts, process.cwd()),
  ])
  const { name, bytes, chunks } = await openSource(options.source, process)
  const progress =
    options.json || options.quiet ? NO_PROGRESS : createProgress(process.stderr, bytes, () => performance.now())
  const verified = await verifyBundle({ chunks, publicKeys, witnesses, held, progress }).finally(() =>
    progress.finish(),
  )
  const report = buildReport(verified, { source: name, pinned: publicKeys.length > 0, held })
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : reportText(report))
  return EXIT_CODES[report.result]
}

/** Without a verdict, any error counts as bad input: it is reported in one line, and the exit code is never 0 or 1. */
function refuse(error: unknown, json: boolean, { stdout, stderr }: Process): number {
  const message = isBadInput(error)
    ? error.message
    : `the input cannot be read: ${error instanceof Error ? error.message : String(error)}`
  if (json) stdout.write(`${JSON.stringify({ v: 1, result: 'bad_input', error: message })}\n`)
  stderr.write(`vitrine-verify: ${message}\n`)
  return 2
}

/** Runs the command with the arguments that the process is started with; returns the exit code. */
export async function start(process: Process): Promise<number> {
  const args = process.argv.slice(2)
  // Whoever reads no further still has the verdict in the exit code; a report that could not be written is no verdict.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exit(2)
  })
  try {
    const options = parseOptions(args)
    if (options !== 'help') return await run(options, process)
    process.stdout.write(USAGE)
    return 0
  } catch (error) {
    return refuse(error, args.includes('--json'), process)
  }
}
