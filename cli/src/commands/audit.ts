import type { Entry } from '@vitrine/core/log/entry'
import { AUDIT_PAGE_MAX } from '@vitrine/core/limits'
import type { AuditQuery } from '../../../sdk/src/index.ts'
import { CHAIN_OPTIONS, readArgs, readCount } from '../args.ts'
import { badUsage } from '../bad-usage.ts'
import { connectToChain } from '../connection.ts'
import type { Command } from '../io.ts'
import { createTable, ENTRY_COLUMNS } from '../table.ts'

const USAGE = `Usage: vitrine audit (--agent <id> | --org <id>) [options]

Lists what is on record, newest first: of one agent, or of all agents of an organization and of itself.

  --tool <name>        only this tool
  --action <action>    only this action, such as tool.invoke or key.rotate
  --actor <actor>      only by agent:<id>, user:<uid> or system:<name>
  --outcome <outcome>  only calls that ended so: ok, failed, denied or unknown
  --from <time>        not before, and
  --to <time>          not after this time (RFC 3339) or day (YYYY-MM-DD, in UTC)
  --limit <n>          at most so many entries
  --json               one entry a line, as JSON
  --url <url>          the deployment, instead of VITRINE_URL
`

const OPTIONS = {
  ...CHAIN_OPTIONS,
  tool: { type: 'string' },
  action: { type: 'string' },
  actor: { type: 'string' },
  outcome: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
} as const

const ROWS_AT_A_TIME = 100

export const audit: Command = {
  summary: 'list what is on record',
  usage: USAGE,
  async run(args, io) {
    const { values } = readArgs(args, OPTIONS)
    const { tool, action, actor, outcome, from, to, json } = values
    const limit = readCount('--limit', values.limit, 1) ?? Infinity
    const times = { from: readTime('--from', from, 'T00:00:00.000Z'), to: readTime('--to', to, 'T23:59:59.999Z') }
    const { vitrine, chain } = await connectToChain(values, io)
    const filter = Object.entries({ tool, action, actor, outcome, ...times }).filter(([, value]) => value !== undefined)
    // The SDK checks what may be in there.
    const query = { ...chain, ...Object.fromEntries(filter), pageSize: Math.min(limit, AUDIT_PAGE_MAX) } as AuditQuery

    const write = json ? jsonLines : createTable(ENTRY_COLUMNS).rows
    let count = 0
    let batch: Entry[] = []
    for await (const entry of vitrine.audit.entries(query)) {
      batch.push(entry)
      count += 1
      if (count === limit) break
      if (batch.length < ROWS_AT_A_TIME) continue
      await io.out(write(batch))
      batch = []
    }
    if (batch.length > 0) await io.out(write(batch))
    if (count === 0) io.note('Nothing on record fits.')
    return 0
  },
}

function jsonLines(entries: readonly Entry[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
}

/** In UTC with milliseconds. Throws bad usage. */
function readTime(flag: string, text: string | undefined, ofDay: string): string | undefined {
  if (text === undefined) return undefined
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text)
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(text)
  const ms = isDay || isTime ? Date.parse(isDay ? text + ofDay : text) : NaN
  if (Number.isNaN(ms))
    throw badUsage(`${flag} must be a time such as 2026-01-31T12:00:00Z or a day such as 2026-01-31, not ${text}`)
  return new Date(ms).toISOString()
}
