import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { appendFileSync, readFileSync } from 'node:fs'

/**
 * An MCP server that is not an npm package, as worker.yaml starts it: JSON-RPC on stdio, one message per line. Its
 * first argument is a file that describes it.
 */

interface Says {
  /** Describes `web.search`. */
  description: string
  /** How many bytes of other commands it lists besides. */
  padding?: number
}

const file = process.argv[2]!
const said = (): Says => JSON.parse(readFileSync(file, 'utf8')) as Says
const inputSchema = { type: 'object' }

interface Params {
  name?: string
  arguments?: { query?: string; file?: string }
}

const answers: Record<string, (params: Params) => object | null> = {
  initialize: () => ({
    protocolVersion: '2025-06-18',
    capabilities: { tools: {} },
    serverInfo: { name: 'web-search', version: '1' },
  }),
  ping: () => ({}),
  'tools/list': () => ({
    tools: [
      { name: 'web.search', description: said().description, inputSchema },
      { name: 'web.environment', inputSchema },
      { name: 'search', inputSchema },
      { name: 'admin.reset', inputSchema },
      { name: 'wait', inputSchema, annotations: { readOnlyHint: true } },
      ...padding(said().padding ?? 0),
    ],
  }),
  'tools/call': ({ name, arguments: args }) =>
    name === 'wait'
      ? waiting(args!.file!)
      : text(name === 'web.environment' ? JSON.stringify(digests()) : `${name}: ${args?.query}`),
}

function padding(bytes: number): object[] {
  const count = bytes === 0 ? 0 : 300
  return Array.from({ length: count }, (_, i) => ({ name: `web.p${i}`, description: 'x'.repeat(bytes / count) }))
}

function text(value: string): object {
  return { content: [{ type: 'text', text: value }] }
}

/** Writes to the file that the call is here, and never answers it. */
function waiting(file: string): null {
  appendFileSync(file, 'here')
  return null
}

/** Digests instead of values: secret values would be removed from the answer. */
function digests(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).map(([name, value]) => [name, createHash('sha256').update(value!).digest('hex')]),
  )
}

console.error(`Started with the key ${process.env['API_KEY'] ?? 'of nobody'}.`)

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line) as { id?: number; method: string; params?: object }
  if (id === undefined) return
  const result = answers[method]?.(params ?? {})
  if (result === null) return
  process.stdout.write(
    `${JSON.stringify({ jsonrpc: '2.0', id, ...(result ? { result } : { error: { code: -32601, message: 'There is no such method.' } }) })}\n`,
  )
})
