import { parseArgs } from 'node:util'
import { badInput } from './bad-input.ts'

/** The command line of vitrine-verify: its options and its usage text. */

export interface Options {
  source:
    | { kind: 'file'; path: string }
    | { kind: 'stdin' }
    | { kind: 'live'; url: string; scope: { agentId: string } | { orgId: string } }
  keys: string[]
  pins: string[]
  receipts: string[]
  witnesses: string[]
  json: boolean
  quiet: boolean
}

export const USAGE = `Usage: vitrine-verify <bundle.jsonl | -> [options]
       vitrine-verify --url <functions base url> (--agent <id> | --org <id>) [options]

Verifies an exported audit bundle offline, or the chains of a live project, whose key is read from VITRINE_KEY.

  --key <key>         the operator's public key: a verifier key, base64, or a file with either or PEM; repeatable
  --pin <file>        a signed checkpoint held outside the operator's reach; repeatable
  --receipts <dir>    receipts held outside: what invokeTool returned as JSON, or tlog-proofs; repeatable
  --witness <vkey>    the verifier key of a witness whose cosignatures count, or a file with it; repeatable
  --json              print one JSON object instead of a report
  --quiet             no progress
  --help              print this

Exit code: 0 when everything holds, 1 when anything does not, 2 when the input cannot be used.
`

const OPTIONS = {
  key: { type: 'string', multiple: true },
  pin: { type: 'string', multiple: true },
  receipts: { type: 'string', multiple: true },
  witness: { type: 'string', multiple: true },
  url: { type: 'string' },
  agent: { type: 'string' },
  org: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** Throws bad_input for arguments that USAGE does not list. */
export function parseOptions(args: string[]): Options | 'help' {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  return {
    source: sourceOf(values, positionals),
    keys: values.key ?? [],
    pins: values.pin ?? [],
    receipts: values.receipts ?? [],
    witnesses: values.witness ?? [],
    json: values.json === true,
    quiet: values.quiet === true,
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true })
  } catch (error) {
    throw badInput(`${(error as Error).message.split(/\.? To |\n/, 1)[0]} (see --help)`)
  }
}

function sourceOf(
  values: { url?: string | undefined; agent?: string | undefined; org?: string | undefined },
  positionals: string[],
): Options['source'] {
  const { url, agent, org } = values
  const [path, ...more] = positionals
  if (more.length > 0) throw badInput('one bundle at a time (see --help)')
  if (url === undefined) {
    if (path === undefined) throw badInput('no bundle is given (see --help)')
    if (agent !== undefined || org !== undefined) throw badInput('--agent and --org go with --url (see --help)')
    return path === '-' ? { kind: 'stdin' } : { kind: 'file', path }
  }
  if (path !== undefined) throw badInput('give a bundle or --url, not both (see --help)')
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw badInput(`--url ${url} is not an http or https address`)
  if ((agent === undefined) === (org === undefined)) throw badInput('--url needs either --agent or --org (see --help)')
  return { kind: 'live', url, scope: agent === undefined ? { orgId: org! } : { agentId: agent } }
}
