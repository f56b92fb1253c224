import { CHAIN_OPTIONS, readArgs, readCount } from '../args.ts'
import { badUsage } from '../bad-usage.ts'
import { connect } from '../connection.ts'
import { writeNew } from '../files.ts'
import type { Command } from '../io.ts'

const USAGE = `Usage: vitrine receipt [--agent <id> | --org <id>] --seq <n> [options]

Fetches the proof that an entry is on record: its text stands alone, with the entry and a signed checkpoint in it. Check it
with vitrine verify-receipt, and keep it for vitrine-verify --receipts. An agent's own key needs no --agent.

  --seq <n>      the entry's number in its chain, as in the receipt that an invocation returns
  --out <file>   write the proof there; the file must not exist yet
  --json         print the entry and the size of the checkpoint too, as JSON
  --url <url>    the deployment, instead of VITRINE_URL
`

const OPTIONS = {
  ...CHAIN_OPTIONS,
  seq: { type: 'string' },
  out: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const receipt: Command = {
  summary: 'fetch the proof that an entry is on record',
  usage: USAGE,
  async run(args, io) {
    const { values } = readArgs(args, OPTIONS)
    const seq = readCount('--seq', values.seq, 0)
    if (seq === undefined) throw badUsage('which entry? Give --seq (see --help)')
    const { vitrine, chain, isAgent } = await connect(values, io)
    if (!chain && !isAgent) throw badUsage('which chain? Give --agent or --org (see --help)')
    const found = await vitrine.audit.getReceipt({ ...chain, seq })
    if (values.out !== undefined) await writeNew(values.out, found.proof, io)
    if (values.json) await io.out(`${JSON.stringify(found)}\n`)
    else if (values.out === undefined) await io.out(found.proof)
    return 0
  },
}
