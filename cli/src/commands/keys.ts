import { readArgs } from '../args.ts'
import { connect } from '../connection.ts'
import type { Command } from '../io.ts'

const USAGE = `Usage: vitrine keys [options]

Prints the public keys that sign checkpoints, one a line in base64. Pin them: note them down before you need them, and
compare them with what somebody else was told.

  --pem         in PEM
  --json        with the names of the key versions
  --url <url>   the deployment, instead of VITRINE_URL
`

const OPTIONS = { url: { type: 'string' }, pem: { type: 'boolean' }, json: { type: 'boolean' } } as const

export const keys: Command = {
  summary: 'show the keys that sign checkpoints',
  usage: USAGE,
  async run(args, io) {
    const { values } = readArgs(args, OPTIONS)
    const { vitrine } = await connect(values, io)
    const found = await vitrine.audit.signingKeys()
    if (values.json) await io.out(`${JSON.stringify(found)}\n`)
    else await io.out(found.keys.map(({ publicKey, pem }) => (values.pem ? pem : `${publicKey}\n`)).join(''))
    return 0
  },
}
