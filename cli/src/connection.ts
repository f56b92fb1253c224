/** Where the deployment is, and by which key the command acts. */

import { KEEPS_LITERALS } from '@vitrine/core/json/number-literal'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Vitrine, type ChainName } from '../../sdk/src/index.ts'
import { readChain, type ChainValues } from './args.ts'
import { badUsage } from './bad-usage.ts'
import type { Io } from './io.ts'

export interface Connection {
  vitrine: Vitrine
  /** The chain that the arguments name, or else the demo agent's of a local stack; undefined for neither. */
  chain: ChainName | undefined
  /** Whether the key is an agent's, which reaches its own tools and receipts and nothing else. */
  isAgent: boolean
}

/** What of `.local/stack.json` matters here (scripts/stack/info.ts). */
interface LocalStack {
  baseUrl: string
  demo?: { owner: { key: string }; agent: { id: string; key: string } }
}

const STACK_FILE = '.local/stack.json'
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * Connects as the environment and `--url` say, or to the stack that runs in this folder, there as the demo owner (or the demo agent)
 * unless VITRINE_KEY says otherwise. Throws bad usage; VitrineError for an address or key that cannot be.
 */
export async function connect(
  values: ChainValues,
  { env, cwd }: Io,
  as: 'owner' | 'agent' = 'owner',
): Promise<Connection> {
  const chain = readChain(values)
  const url = values.url ?? env['VITRINE_URL']
  const key = env['VITRINE_KEY']
  if (url) {
    if (!key)
      throw badUsage(
        'VITRINE_KEY is not set; it holds the key of an owner, or of an agent for its own tools and receipts',
      )
    return open(url, key, chain)
  }
  const stack = await readStack(join(cwd, STACK_FILE))
  if (!stack)
    throw badUsage(
      `no deployment is named: set VITRINE_URL or give --url (no stack runs here: there is no ${STACK_FILE})`,
    )
  if (key) return open(stack.baseUrl, key, chain)
  if (!stack.demo) throw badUsage(`VITRINE_KEY is not set, and the stack that runs here has no demo owner`)
  if (as === 'agent') return open(stack.baseUrl, stack.demo.agent.key, chain)
  return open(stack.baseUrl, stack.demo.owner.key, chain ?? { agentId: stack.demo.agent.id })
}

/** The same, where a chain has to be named. */
export async function connectToChain(values: ChainValues, io: Io): Promise<{ vitrine: Vitrine; chain: ChainName }> {
  const { vitrine, chain } = await connect(values, io)
  if (!chain) throw badUsage('which chain? Give --agent or --org (see --help)')
  return { vitrine, chain }
}

function open(baseUrl: string, key: string, chain: ChainName | undefined): Connection {
  // Node 20 cannot keep digits that a double does not hold.
  const numbers = KEEPS_LITERALS ? 'literal' : 'double'
  return { vitrine: new Vitrine({ baseUrl, key, numbers }), chain, isAgent: key.startsWith('agent.') }
}

async function readStack(file: string): Promise<LocalStack | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch {
    return undefined
  }
  const stack = parseStack(text)
  // A folder that somebody else made must not draw the key in VITRINE_KEY to an address of theirs.
  if (!stack || !LOOPBACK.has(new URL(stack.baseUrl).hostname))
    throw badUsage(`${STACK_FILE} does not describe a local stack`)
  return stack
}

function parseStack(text: string): LocalStack | undefined {
  try {
    const stack = JSON.parse(text) as LocalStack | null
    return stack && URL.canParse(stack.baseUrl) ? stack : undefined
  } catch {
    return undefined
  }
}
