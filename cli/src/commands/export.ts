import type { EndLine } from '@vitrine/core/log/bundle'
import type { ChainName } from '../../../sdk/src/index.ts'
import { CHAIN_OPTIONS, readArgs } from '../args.ts'
import { badUsage } from '../bad-usage.ts'
import { createBundle, reopenBundle, type BundleFile } from '../bundle-file.ts'
import { connectToChain } from '../connection.ts'
import type { Command, Io } from '../io.ts'

const USAGE = `Usage: vitrine export (--agent <id> | --org <id>) --out <file> [options]

Writes a bundle: entries, checkpoints and keys of a chain, or of all chains of an organization, and the openings that you
may see. vitrine-verify checks it, with nothing else. A connection that breaks is made again.

  --out <file>   where to; the file must not exist yet
  --json         say as JSON what was written
  --resume       go on with the file where an earlier export ended before its time
  --url <url>    the deployment, instead of VITRINE_URL
`

const OPTIONS = {
  ...CHAIN_OPTIONS,
  out: { type: 'string' },
  resume: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const exportBundle: Command = {
  summary: 'write a bundle for vitrine-verify',
  usage: USAGE,
  async run(args, io) {
    const { values } = readArgs(args, OPTIONS)
    const { out } = values
    if (out === undefined) throw badUsage('where to? Give --out (see --help)')
    const { vitrine, chain } = await connectToChain(values, io)
    const file = values.resume ? await reopenBundle(out, scopeOf(chain), io) : await createBundle(out, io)
    const resume = file.resume && { resume: file.resume }
    const written = file.complete
      ? {}
      : await write(file, vitrine.audit.export({ ...chain, ...resume }), out, io).finally(() => file.close())
    if (file.complete) {
      await file.close()
      io.note(`${out} is complete already.`)
    }
    if (values.json) await io.out(`${JSON.stringify({ out, ...written })}\n`)
    return 0
  },
}

async function write(
  file: BundleFile,
  lines: AsyncIterable<string>,
  out: string,
  io: Io,
): Promise<Pick<EndLine, 'chains' | 'entries'>> {
  let last = ''
  try {
    for await (const line of lines) {
      await file.append(line)
      last = line
    }
  } catch (error) {
    if (last !== '') io.note(`${out} is not complete; --resume goes on with it.`)
    throw error
  }
  const { chains, entries } = JSON.parse(last) as EndLine
  io.note(`${entries} entries of ${chains} ${chains === 1 ? 'chain' : 'chains'} are in ${out}.`)
  return { chains, entries }
}

function scopeOf({ agentId, orgId }: ChainName): string {
  return agentId === undefined ? `orgs/${orgId}` : `agents/${agentId}`
}
