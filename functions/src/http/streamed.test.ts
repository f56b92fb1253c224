import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fail, ok } from '@vitrine/core/result'
import { loggedLines } from '../lib/log.fixture.ts'
import { streamed, type StreamHandler } from './streamed.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(handler: StreamHandler): Promise<IncomingMessage> {
  const serveOne = streamed('exportAudit', 'application/jsonl', handler)
  const server = createServer((req, res: ServerResponse) => void serveOne(req, res))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const outgoing = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, method: 'POST' }).end(
    '{"data":null}',
  )
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return response
}

async function* pieces(...all: (string | Error)[]): AsyncGenerator<string, void> {
  for (const piece of all) {
    if (piece instanceof Error) throw piece
    yield piece
  }
}

describe('an answer in pieces', () => {
  it('is sent as it is made', async () => {
    const response = await serve(async () => ok(pieces('a\n', 'ü\n', 'c\n')))
    expect(response.statusCode).toBe(200)
    expect(response.headers['content-type']).toBe('application/jsonl')
    expect(await text(response)).toBe('a\nü\nc\n')
  })

  it('may be empty', async () => {
    expect(await text(await serve(async () => ok(pieces())))).toBe('')
  })

  it.each([
    ['refused', async () => fail('agent_not_found'), 404, 'agent_not_found'],
    ['that fails at the first piece', async () => ok(pieces(new Error('no'))), 500, 'internal'],
    ['that fails before', () => Promise.reject(Object.assign(new Error('no'), { code: 14 })), 503, 'unavailable'],
  ] satisfies [string, StreamHandler, number, string][])(
    "%s is answered as a callable's",
    async (_, handler, status, code) => {
      const response = await serve(handler)
      expect(response.statusCode).toBe(status)
      expect(JSON.parse(await text(response))).toMatchObject({ error: { details: { code } } })
    },
  )

  it('that fails later is seen to be broken, and is logged', async () => {
    const log = loggedLines()
    const response = await serve(async () => ok(pieces('a\n', new Error('lost'))))
    expect(response.statusCode).toBe(200)
    await expect(text(response)).rejects.toThrow('aborted')
    const failure = { severity: 'ERROR', message: expect.stringContaining('lost') }
    await vi.waitFor(() => expect(log).toMatchObject([failure, { event: 'request', code: 'internal' }]), {
      timeout: 20_000,
    })
  })

  it('is made no faster than it is read, and no further once the reader has gone', async () => {
    const log = loggedLines()
    const many = 10_000
    let made = 0
    let ended = false
    async function* endless(): AsyncGenerator<string, void> {
      try {
        for (; made < many; made++) yield 'x'.repeat(65_536)
      } finally {
        ended = true
      }
    }
    const response = await serve(async () => ok(endless()))
    await once(response, 'readable')
    response.destroy()
    await vi.waitFor(() => expect(ended).toBe(true), { timeout: 20_000 })
    // Of 640 MB, only what fits into the buffers of two sockets.
    expect(made).toBeLessThan(many / 10)
    await vi.waitFor(() => expect(log).toMatchObject([{ event: 'request', code: 'cancelled' }]), { timeout: 20_000 })
  })
})
