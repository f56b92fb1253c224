import http from 'node:http'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { Agent } from 'undici'
import { afterAll, describe, expect, it } from 'vitest'
import { bodiesInTurns, createShare, inTurns, readInSlices, turn } from './turns.ts'

const agent = new Agent()
const servers: http.Server[] = []
afterAll(async () => {
  await agent.destroy()
  for (const server of servers) server.closeAllConnections()
})

/** A server that answers with these bytes; with `chunked`, each write is a chunk. */
async function serving(parts: (string | Buffer)[]): Promise<string> {
  const server = http.createServer((_request, response) => {
    response.socket!.setNoDelay(true)
    for (const part of parts) response.write(part)
    response.end()
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The body, and how often its parsing waited for a turn. */
async function read(origin: string, { slowly = false } = {}): Promise<{ text: string; pauses: number }> {
  let pauses = 0
  const counting = agent.compose(
    (dispatch) => (options, handler) =>
      dispatch(options, {
        onRequestStart: (controller, context) => {
          const pause = controller.pause.bind(controller)
          controller.pause = () => {
            pauses++
            pause()
          }
          handler.onRequestStart?.(controller, context)
        },
        onResponseStart: (...args) => handler.onResponseStart?.(...args),
        onResponseData: (...args) => handler.onResponseData?.(...args),
        onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
        onResponseError: (...args) => handler.onResponseError?.(...args),
      }),
  )
  const response = await counting.compose(bodiesInTurns).request({ origin, path: '/', method: 'GET' })
  const chunks: Buffer[] = []
  for await (const chunk of response.body) {
    chunks.push(chunk as Buffer)
    if (slowly) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return { text: Buffer.concat(chunks).toString(), pauses }
}

describe('turns', () => {
  it('are given one each time around the event loop, in order', async () => {
    const seen: string[] = []
    let around = 0
    const counting = setInterval(() => undefined, 1_000)
    const count = (): void => {
      around++
      if (around < 10) setImmediate(count)
    }
    setImmediate(count)
    await Promise.all(['a', 'b', 'c'].map((name) => turn().then(() => seen.push(`${name}${around}`))))
    clearInterval(counting)
    expect(seen.map(([name]) => name)).toEqual(['a', 'b', 'c'])
    expect(new Set(seen.map((text) => text.slice(1))).size).toBe(3)
  })

  it('come due after 64 KiB, or a thousand pieces of a byte', () => {
    const after = (bytes: number): number => {
      const share = createShare()
      let pieces = 1
      while (!share.spend(bytes)) pieces++
      return pieces
    }
    expect(after(64 * 1024)).toBe(1)
    expect(after(1_000)).toBe(62)
    expect(after(1)).toBe(1_009)
  })

  it('let others run between the pieces of what comes without end', async () => {
    const endless = async function* () {
      for (;;) yield 1_000
    }
    let given = 0
    const others = new Promise<void>((resolve) => setImmediate(resolve))
    const reading = (async () => {
      for await (const _ of inTurns(endless(), (bytes) => bytes)) if (++given === 1_000) return
    })()
    await others
    expect(given).toBeLessThan(200)
    await reading
  })
})

describe('a body', () => {
  it('that is small waits for nobody', async () => {
    expect(await read(await serving(['x'.repeat(60_000)]))).toEqual({ text: 'x'.repeat(60_000), pauses: 0 })
  })

  it.each([
    ['at once', false],
    ['slowly', true],
  ])('that is large comes whole, in turns, when it is read %s', async (_how, slowly) => {
    const text = 'abcdefgh'.repeat(250_000)
    const { text: came, pauses } = await read(await serving([text]), { slowly })
    expect(came === text).toBe(true)
    expect(pauses).toBeGreaterThanOrEqual(2_000_000 / (3 * 64 * 1024))
  })

  it('in tiny chunks comes whole, a thousand a turn', async () => {
    const parts = Array.from({ length: 20_000 }, (_, i) => String(i % 10))
    const { text, pauses } = await read(await serving(parts))
    expect(text === parts.join('')).toBe(true)
    expect(pauses).toBeGreaterThanOrEqual(19)
  })

  it('that nobody reads is given up while it waits', async () => {
    const origin = await serving(['x'.repeat(10_000_000)])
    const stop = new AbortController()
    const response = await agent
      .compose(bodiesInTurns)
      .request({ origin, path: '/', method: 'GET', signal: stop.signal })
    await turn()
    stop.abort()
    await expect(response.body.text()).rejects.toThrow()
    // Waiting callbacks find the connection gone when their turn comes.
    for (let i = 0; i < 5; i++) await turn()
  })
})

describe('a connection', () => {
  it('gives what it has read in slices, and nothing once it is destroyed', async () => {
    const server = net.createServer((peer) => void peer.end('x'.repeat(10_000)))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = readInSlices(net.connect((server.address() as AddressInfo).port, '127.0.0.1'))
    while (socket.readableLength < 10_000) await once(socket, 'readable')
    const sizes = [socket.read(), socket.read(100)].map((bytes) => (bytes as Buffer).length)
    expect(sizes).toEqual([2_048, 100])
    socket.destroy()
    expect(socket.read()).toBe(null)
    server.close()
  })
})
