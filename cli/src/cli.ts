import { once } from 'node:events'
import { VitrineError } from '../../sdk/src/index.ts'
import { isBadUsage } from './bad-usage.ts'
import { apply } from './commands/apply.ts'
import { audit } from './commands/audit.ts'
import { checkpoint } from './commands/checkpoint.ts'
import { exportBundle } from './commands/export.ts'
import { keys } from './commands/keys.ts'
import { receipt } from './commands/receipt.ts'
import { verifyReceiptFile } from './commands/verify-receipt.ts'
import type { Command, Io } from './io.ts'
import { plain } from './text.ts'

const USAGE = `Usage: vitrine <command> [options]

  audit            list what is on record
  export           write a bundle for vitrine-verify
  checkpoint       have a chain signed now, and keep the checkpoint
  receipt          fetch the proof that an entry is on record
  verify-receipt   check such a proof, offline
  keys             show the keys that sign checkpoints
  apply            let an agent use the tools of its agent.yaml

vitrine <command> --help says more. The deployment is the one at VITRINE_URL (or --url) and the key is read from VITRINE_KEY;
without them, the stack that npm start runs in this folder.

Exit code: 0 when it is done and what was to be checked holds, 1 when it failed or does not hold, 2 when the arguments, the
settings or a file cannot be used.
`

const COMMANDS = new Map<string, Command>(
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

async function main(args: string[], io: Io): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    await io.out(USAGE)
    return name === undefined ? 2 : 0
  }
  const command = COMMANDS.get(name)
  if (!command) {
    io.note(`vitrine: there is no command ${plain(name)} (see --help)`)
    return 2
  }
  try {
    if (!rest.includes('--help')) return await command.run(rest, io)
    await io.out(command.usage)
    return 0
  } catch (error) {
    io.note(`vitrine: ${plain(messageOf(error))}`)
    return isBadUsage(error) || isRefusedHere(error) ? 2 : 1
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof VitrineError)) return error instanceof Error ? error.message : String(error)
  const cause = error.code === 'network_error' ? innermost(error) : undefined
  return `${error.message} (${error.code}${cause === undefined ? '' : `: ${cause}`})`
}

/** fetch wraps what happened twice. */
function innermost(error: Error): string | undefined {
  if (error.cause instanceof Error) return innermost(error.cause) ?? error.cause.message
  return undefined
}

/** The SDK's own refusal of what it was given; the server's would have a status. */
function isRefusedHere(error: unknown): boolean {
  if (!(error instanceof VitrineError) || error.status !== 0) return false
  return ['invalid_argument', 'invalid_name', 'invalid_url', 'malformed_key'].includes(error.code)
}

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

process.exitCode = await main(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  async out(text) {
    if (!process.stdout.write(text)) await once(process.stdout, 'drain')
  },
  note: (line) => void process.stderr.write(`${line}\n`),
})
