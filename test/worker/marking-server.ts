import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * An MCP server of worker.yaml whose command `mark` must not be made twice. It adds its process id to a file at once
 * and answers later, so that killing it in between leaves a call with an effect and without an answer.
 */

interface Message {
  id?: number
  method: string
  params?: { arguments?: { file: string } }
}

const ANSWER_MS_MIN = 300
const ANSWER_MS_MAX = 900

const mark = {
  name: 'mark',
  inputSchema: { type: 'object' },
  annotations: { readOnlyHint: false, idempotentHint: false },
}

const answers: Record<string, (params: Message['params']) => object | Promise<object>> = {
  initialize: () => ({
    protocolVersion: '2025-06-18',
    capabilities: { tools: {} },
    serverInfo: { name: 'marking', version: '1' },
  }),
  ping: () => ({}),
  'tools/list': () => ({ tools: [mark] }),
  async 'tools/call'(params) {
    appendFileSync(params!.arguments!.file, `${process.pid}\n`)
    await sleep(ANSWER_MS_MIN + Math.random() * (ANSWER_MS_MAX - ANSWER_MS_MIN))
    return { content: [{ type: 'text', text: params!.arguments!.file }] }
  },
}

createInterface({ input: process.stdin }).on('line', (line) => void answer(JSON.parse(line) as Message))

async function answer({ id, method, params }: Message): Promise<void> {
  if (id !== undefined)
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: await answers[method]!(params) })}\n`)
}
