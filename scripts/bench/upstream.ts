import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort } from 'node:worker_threads'
import { ANSWER, answerOf, type RpcRequest } from './mcp-answer.ts'

/** The tool of the benchmark: reads its JSON and answers some, as little work as a server can do. At `/mcp` it is an MCP server without sessions. */

const server = createServer((request, response) => {
  if (request.url !== '/mcp') return void request.resume().once('end', () => send(response, ANSWER))
  let text = ''
  request.setEncoding('utf8')
  request.on('data', (part: string) => (text += part))
  request.once('end', () => {
    const answer = request.method === 'POST' ? answerOf(JSON.parse(text) as RpcRequest) : undefined
    if (answer === undefined) response.writeHead(request.method === 'POST' ? 202 : 405).end()
    else send(response, answer)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port))

function send(response: ServerResponse, json: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': json.length }).end(json)
}
