import { createInterface } from 'node:readline'
import { answerOf, type RpcRequest } from './mcp-answer.ts'

/** What stands behind the peer, which takes stdio servers only. */
createInterface({ input: process.stdin }).on('line', (line) => {
  const answer = answerOf(JSON.parse(line) as RpcRequest)
  if (answer !== undefined) process.stdout.write(`${answer}\n`)
})
