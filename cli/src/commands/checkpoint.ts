import { CHAIN_OPTIONS, readArgs } from '../args.ts'
import { connectToChain } from '../connection.ts'
import { writeNew } from '../files.ts'
import type { Command } from '../io.ts'

const USAGE = `Usage: vitrine checkpoint (--agent <id> | --org <id>) [options]

Has a chain signed as it is now. Keep the checkpoint where the operator cannot reach it: vitrine-verify --pin compares an
export with it, and finds out when anything that it covers was changed since.

  --out <file>   write the checkpoint there; the file must not exist yet
  --json         print all that the server says, the chain's verifier key included
  --url <url>    the deployment, instead of VITRINE_URL
`

const OPTIONS = { ...CHAIN_OPTIONS, out: { type: 'string' }, json: { type: 'boolean' } } as const

export const checkpoint: Command = {
  summary: 'have a chain signed now, and keep the checkpoint',
  usage: USAGE,
  async run(args, io) {
    const { values } = readArgs(args, OPTIONS)
    const { vitrine, chain } = await connectToChain(values, io)
    const signed = await vitrine.audit.checkpoint(chain)
    if (values.out !== undefined) await writeNew(values.out, signed.note, io)
    if (values.json) await io.out(`${JSON.stringify(signed)}\n`)
    else if (values.out === undefined) await io.out(signed.note)
    io.note(`${signed.size} entries of ${signed.log} are covered. Verifier key: ${signed.vkey}`)
    return 0
  },
}
