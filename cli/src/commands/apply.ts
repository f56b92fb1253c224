import { VitrineError } from '../../../sdk/src/index.ts'
import { readArgs } from '../args.ts'
import { badUsage } from '../bad-usage.ts'
import { connect } from '../connection.ts'
import { readInput } from '../files.ts'
import type { Command } from '../io.ts'
import { plain } from '../text.ts'

const USAGE = `Usage: vitrine apply <agent.yaml> [options]

Lets an agent use the tools that the file names, and nothing else; prints their names. With - the file is standard input.

  --agent <id>  the agent
  --json        print the answer as JSON
  --url <url>   the deployment, instead of VITRINE_URL
`

const OPTIONS = { url: { type: 'string' }, agent: { type: 'string' }, json: { type: 'boolean' } } as const

interface Problem {
  line: number
  column: number
  message: string
}

export const apply: Command = {
  summary: 'let an agent use the tools of its agent.yaml',
  usage: USAGE,
  async run(args, io) {
    const { values, positionals } = readArgs(args, OPTIONS, ['the file'])
    const path = positionals[0]!
    const manifest = await readInput(path, io)
    const { vitrine, chain } = await connect(values, io)
    if (chain?.agentId === undefined) throw badUsage('which agent? Give --agent (see --help)')
    try {
      const applied = await vitrine.agents.applyManifest({ agentId: chain.agentId, manifest })
      await io.out(values.json ? `${JSON.stringify(applied)}\n` : applied.tools.map((name) => `${name}\n`).join(''))
      return 0
    } catch (error) {
      const problems = error instanceof VitrineError ? error.details['problems'] : undefined
      if (!Array.isArray(problems) || values.json) throw error
      for (const { line, column, message } of problems as Problem[])
        io.note(`${plain(path)}:${Number(line)}:${Number(column)} ${plain(String(message))}`)
      return 1
    }
  },
}
