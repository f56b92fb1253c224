/** `node scripts/prerequisites.ts [--yes]`: gets what a stack needs. bootstrap.mjs runs it before each script that starts one. */
import { parseArgs } from 'node:util'
import { getPrerequisites } from './stack/prerequisites.ts'

const { values } = parseArgs({ options: { yes: { type: 'boolean', default: false } } })
const machine = { env: process.env, isRoot: process.getuid?.() === 0 }
const terminal = {
  input: process.stdin,
  output: process.stderr,
  isTty: process.stdin.isTTY && process.stderr.isTTY,
}

getPrerequisites(machine, terminal, values.yes).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(`vitrine: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  },
)
