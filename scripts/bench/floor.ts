import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FirestoreClient } from '@google-cloud/firestore-api/client_v1'
import { grpc } from 'google-gax'
import { Pool } from 'undici'

/**
 * The floor of this design: a bare gateway that, one after the other, reads two documents, commits a create-only
 * segment, calls the tool and commits a second segment. It checks nothing and shares nothing among calls.
 * Usage: floor.ts {emulator's host:port} {project} {URL of the tool}. Prints its port.
 */
const [emulator, project, tool] = process.argv.slice(2) as [string, string, string]
const { hostname, port } = new URL(`http://${emulator}`)
const client = new FirestoreClient({
  fallback: false,
  servicePath: hostname,
  port: Number(port),
  sslCreds: grpc.credentials.createInsecure(),
  clientOptions: { universeDomain: 'googleapis.com' },
})
const database = `projects/${project}/databases/(default)`
const root = `${database}/documents`
const options = { otherArgs: { headers: { authorization: 'Bearer owner' } } }
const run = randomUUID()
const { origin, pathname } = new URL(tool)
const upstream = new Pool(origin, { connections: 64 })
let count = 0

async function readTwo(): Promise<void> {
  const documents = [`${root}/floor/agent`, `${root}/floor/tool`]
  const stream = client.batchGetDocuments({ database, documents }, options)
  for await (const _ of stream);
}

async function commitSegment(line: string): Promise<void> {
  const name = `${root}/floor/${run}/audit/${String(count++).padStart(16, '0')}`
  const fields = {
    first: { integerValue: count },
    batch: { stringValue: run },
    at: { timestampValue: { seconds: Math.floor(Date.now() / 1000) } },
    entries: { arrayValue: { values: [{ stringValue: line }] } },
  }
  await client.commit({ database, writes: [{ update: { name, fields }, currentDocument: { exists: false } }] }, options)
}

const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (part: string) => (body += part))
  request.once('end', () => {
    void (async () => {
      const { data } = JSON.parse(body) as { data: { args: unknown } }
      await readTwo()
      await commitSegment(JSON.stringify({ action: 'intent', data }))
      const headers = { 'content-type': 'application/json', authorization: 'Bearer token' }
      const answer = await upstream.request({
        path: pathname,
        method: 'POST',
        headers,
        body: JSON.stringify(data.args),
      })
      const text = await answer.body.text()
      await commitSegment(JSON.stringify({ action: 'outcome', status: answer.statusCode }))
      response.writeHead(200, { 'content-type': 'application/json' }).end(text)
    })()
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
