import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { testKey } from '../../test/sdk/test-key.ts'
import { startWireServer, type Respond, type WireServer } from '../../test/sdk/wire-server.ts'
import { Vitrine, type StreamPart } from './index.ts'

let wire: WireServer
let vitrine: Vitrine
const receipt = { log: 'agents/a', seq: 3, hash: 'ab' }
const invoked = { status: 200, ok: true, result: null, receipt }

beforeAll(async () => {
  wire = await startWireServer()
  vitrine = new Vitrine({ baseUrl: wire.url, key: testKey() })
})
beforeEach(() => {
  wire.requests = []
})
afterAll(() => wire.close())

/** An event stream in these parts, whatever events they make. */
function events(...parts: string[]): Respond {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const part of parts) response.write(part)
    response.end()
  }
}

async function read(): Promise<StreamPart[]> {
  const parts: StreamPart[] = []
  for await (const part of vitrine.tools.stream({ name: 'search', args: { q: 1 }, timeoutMs: 5 })) parts.push(part)
  return parts
}

describe('a stream', () => {
  it('asks for events and gives pieces, then the result', async () => {
    wire.respond = events(
      'data: {"message":{"type":"text","text":"é',
      'a"}}\n\n: ping\n\nda',
      `ta: {"message":{"type":"progress","progress":1}}\n\ndata: ${JSON.stringify({ result: invoked })}\n\n`,
    )
    expect(await read()).toEqual([
      { type: 'text', text: 'éa' },
      { type: 'progress', progress: 1 },
      { type: 'result', ...invoked },
    ])
    expect(wire.requests).toMatchObject([
      {
        path: '/invokeTool',
        headers: { accept: 'text/event-stream' },
        body: { data: { name: 'search', args: { q: 1 }, timeoutMs: 5 } },
      },
    ])
  })

  it('rejects with what the server reports, before anything came or after', async () => {
    const error = JSON.stringify({
      error: { status: 'UNAVAILABLE', message: 'No.', details: { code: 'upstream_interrupted', retryable: true } },
    })
    wire.respond = (response) =>
      response.writeHead(502, { 'content-type': 'text/event-stream' }).end(`data: ${error}\n\n`)
    await expect(read()).rejects.toMatchObject({ code: 'upstream_interrupted', status: 502 })
    wire.respond = (response) => response.writeHead(502, { 'content-type': 'application/json' }).end(error)
    await expect(read()).rejects.toMatchObject({ code: 'upstream_interrupted', status: 502 })
    wire.respond = events(`data: {"message":{"type":"text","text":"a"}}\n\ndata: ${error}\n\n`)
    await expect(read()).rejects.toMatchObject({ code: 'upstream_interrupted', retryable: true })
  })

  it.each([
    ['without a result', events('data: {"message":{"type":"text","text":"a"}}\n\n'), 'network_error'],
    ['with half a result', events('data: {"result":{"status":200,"ok":true'), 'network_error'],
    ['with something else for a result', events('data: {"result":{"status":"x"}}\n\n'), 'invalid_response'],
    ['of something else', events('data: {"message":\n\n'), 'invalid_response'],
  ] as const)('%s is an error', async (_, respond, code) => {
    wire.respond = respond
    await expect(read()).rejects.toMatchObject({ code })
  })

  it('sends nothing for arguments that are wrong, and says so when it is asked for', () => {
    expect(() => vitrine.tools.stream({ name: 'search', timeoutMs: 0 })).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }) as Error,
    )
    expect(wire.requests).toEqual([])
  })
})
