import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { ChainName } from '../../sdk/src/index.ts'
import { badUsage } from './bad-usage.ts'

type Options = NonNullable<ParseArgsConfig['options']>

/** Arguments of a command; `positionals` names those that it takes. Throws bad usage on anything else. */
export function readArgs<T extends Options>(args: string[], options: T, positionals: readonly string[] = []) {
  const parsed = parseOptions(args, options)
  const extra = parsed.positionals[positionals.length]
  if (extra !== undefined) throw badUsage(`unexpected argument ${extra} (see --help)`)
  const missing = positionals[parsed.positionals.length]
  if (missing !== undefined) throw badUsage(`${missing} is missing (see --help)`)
  return parsed
}

/** Options and what is beside them, as many as there are. Throws bad usage, which names options and never values. */
export function parseOptions<T extends Options>(args: string[], options: T) {
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    // What follows is advice that fits few cases.
    throw badUsage(`${(error as Error).message.split(/\.? To |\n/, 1)[0]} (see --help)`)
  }
}

/** A whole number of at least `min`; undefined where none was given. Throws bad usage. */
export function readCount(flag: string, text: string | undefined, min: number): number | undefined {
  if (text === undefined) return undefined
  const count = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  if (!Number.isSafeInteger(count) || count < min)
    throw badUsage(`${flag} must be a whole number of at least ${min}, not ${text}`)
  return count
}

/** `--agent` and `--org`, which name a chain. */
export const CHAIN_OPTIONS = { url: { type: 'string' }, agent: { type: 'string' }, org: { type: 'string' } } as const

export interface ChainValues {
  url?: string | undefined
  agent?: string | undefined
  org?: string | undefined
}

/** Undefined where none is named. Throws bad usage for two. */
export function readChain({ agent, org }: ChainValues): ChainName | undefined {
  if (agent !== undefined && org !== undefined) throw badUsage('give --agent or --org, not both (see --help)')
  if (org !== undefined) return { orgId: org }
  return agent === undefined ? undefined : { agentId: agent }
}
