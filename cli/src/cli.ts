/** The `vitrine` command: finds the command that the arguments name, runs it, and says what went wrong. */

import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { badUsage } from './bad-usage.ts'
import { apply } from './commands/apply.ts'
import { audit } from './commands/audit.ts'
import { checkpoint } from './commands/checkpoint.ts'
import { exportBundle } from './commands/export.ts'
import { keys } from './commands/keys.ts'
import { receipt } from './commands/receipt.ts'
import { verifyReceiptFile } from './commands/verify-receipt.ts'
import { describeError, exitCodeOf } from './failure.ts'
import type { Command, Io } from './io.ts'

const EPILOGUE = `vitrine <command> --help says more. The deployment is the one at VITRINE_URL (or --url) and the key is read from VITRINE_KEY;
without them, the stack that npm start runs in this folder.

Exit code: 0 when it is done and what was to be checked holds, 1 when it failed or does not hold, 2 when the arguments, the
settings or a file cannot be used.
`

/** The others come from the contract, which is loaded for them alone: it takes as long as the rest of the start. */
const COMMANDS: ReadonlyMap<string, Command> = new Map(
  Object.entries({
    audit,
    export: exportBundle,
    checkpoint,
    receipt,
    'verify-receipt': verifyReceiptFile,
    keys,
    apply,
  }),
)

/** `help X` is `X --help`. */
async function main(args: string[], io: Io): Promise<number> {
  if (args[0] === 'help') return main([...args.slice(1), '--help'], io)
  const isHelp = args.includes('--help') || args.includes('-h')
  const [name = '', ...rest] = args
  const isVerb = rest[0] !== undefined && !rest[0].startsWith('-')
  const own = COMMANDS.get(name)
  if (own && !isVerb && !isHelp) return own.run(rest, io)
  const { CATALOG, OPERATIONS } = await import('./operations/catalog.ts')
  const { runVerb } = await import('./operations/run.ts')
  const { catalogHelp, nounHelp, verbHelp } = await import('./operations/help.ts')
  if (name === '' || name.startsWith('-')) {
    await io.out(`${usage()}\n${catalogHelp(CATALOG)}\n${EPILOGUE}`)
    return isHelp ? 0 : 2
  }
  const verbs = CATALOG.get(name)
  const verb = isVerb ? verbs?.get(rest[0]!) : undefined
  if (verb && isHelp) {
    await io.out(verbHelp(verb, OPERATIONS))
    return 0
  }
  if (verb) return runVerb(verb, OPERATIONS, rest.slice(1), io)
  if (own && !isHelp) return own.run(rest, io)
  if (!own && !verbs) throw badUsage(`there is no command ${name} (see --help)`)
  if (!own && isVerb) throw badUsage(`there is no command ${name} ${rest[0]} (see vitrine ${name} --help)`)
  await io.out([own?.usage, verbs && nounHelp(name, CATALOG)].filter((text) => text !== undefined).join('\n'))
  return isHelp ? 0 : 2
}

function usage(): string {
  const lines = [...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(17)}${summary}\n`)
  return `Usage: vitrine <command> [options]\n\n${lines.join('')}`
}

/** With `--json` there is nothing on standard error but an error, as JSON. */
async function run(args: string[], io: Io): Promise<number> {
  const json = args.includes('--json')
  try {
    return await main(args, json ? { ...io, note: () => undefined } : io)
  } catch (error) {
    io.note(describeError(error, json))
    return exitCodeOf(error)
  }
}

/** What the command uses of the process that it is, or of what stands for one. */
export interface Process {
  argv: string[]
  env: Record<string, string | undefined>
  cwd(): string
  stdin: Readable
  stdout: Writable
  stderr: Writable
  exit(code: number): void
}

/** Runs the command that the process is started with; returns the exit code. */
export async function start(process: Process): Promise<number> {
  // A reader that has seen enough, such as `head`, is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  return run(process.argv.slice(2), {
    env: process.env,
    cwd: process.cwd(),
    // What nobody asks for is not opened.
    input: () => text(process.stdin),
    async out(content) {
      if (!process.stdout.write(content)) await once(process.stdout, 'drain')
    },
    note: (line) => void process.stderr.write(`${line}\n`),
  })
}
