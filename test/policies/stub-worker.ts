import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { importJWK, jwtVerify, type JWTPayload } from 'jose'
import type { CallBody, DispatchKey } from '@vitrine/core/policy/worker-protocol'

/** A worker's HTTP interface with scripted answers. */
export interface StubWorker {
  url: string
  calls: { body: CallBody; claims: JWTPayload; headers: IncomingMessage['headers'] }[]
  /** Answers the next calls; by default `{result}` with the command's name. */
  answer: (body: CallBody, res: ServerResponse) => unknown
  close(): Promise<void>
}

/** `keys` are the public keys that the control plane publishes; tokens are verified with them. */
export async function startStubWorker(keys: () => Promise<DispatchKey[]>, policyId: () => string): Promise<StubWorker> {
  const server = createServer(
    (req, res) => void serve(req, res).catch((error: unknown) => res.writeHead(500).end(String(error))),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stub: StubWorker = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    answer: ({ command }) => ({ result: { content: [{ type: 'text', text: command }] } }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = []
    for await (const chunk of req as AsyncIterable<Uint8Array>) chunks.push(chunk)
    const body = JSON.parse(Buffer.concat(chunks).toString()) as CallBody
    const token = req.headers.authorization?.replace(/^Bearer /, '') ?? ''
    const key = async ({ kid }: { kid?: string }) =>
      importJWK(
        { kty: 'OKP', crv: 'Ed25519', x: (await keys()).find((known) => known.kid === kid)?.publicKey ?? '' },
        'EdDSA',
      )
    const { payload } = await jwtVerify(token, key, { algorithms: ['EdDSA'], issuer: 'vitrine', maxTokenAge: 90 })
    if (!String(payload.aud).startsWith(`worker:${policyId()}:`)) throw new Error(`a token for ${String(payload.aud)}`)
    stub.calls.push({ body, claims: payload, headers: req.headers })
    const answer = stub.answer(body, res)
    if (answer === undefined) return
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  }
  return stub
}
