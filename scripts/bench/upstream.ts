import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort } from 'node:worker_threads'

/** The tool of the benchmark: reads its JSON and answers some, as little work as a server can do. */
const ANSWER = JSON.stringify({
  results: [
    { title: 'one', score: 1 },
    { title: 'two', score: 2 },
  ],
})

const server = createServer((request, response) => {
  request.resume().once('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': ANSWER.length }).end(ANSWER)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port))
