import { once } from 'node:events'
import http, { type IncomingMessage, type RequestListener } from 'node:http'
import https from 'node:https'
import net, { type AddressInfo, type Socket } from 'node:net'
import tls from 'node:tls'
import zlib from 'node:zlib'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { Agent } from 'undici'
import { RESPONSE_BYTES_DEFAULT } from '@vitrine/core/limits'
import type { JsonObject } from '@vitrine/core/json/value'
import { createScrubber } from '@vitrine/core/scrub/scrub'
import type { Endpoint, Piece } from '@vitrine/core/tool'
import { createDispatcher } from '../../egress/agent.ts'
import type { LookupAll } from '../../egress/lookup.ts'
import { readEgressPolicy, STRICT } from '../../egress/policy.ts'
import { httpForward } from './http.ts'
import { selfSigned } from '../self-signed.fixture.ts'
import type { ForwardOutcome, ForwardRequest } from '../forward.ts'

const LOOPBACK = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,::1' })
const dispatcher = createDispatcher({ policy: LOOPBACK })
const stops: (() => Promise<unknown>)[] = []

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
})
afterAll(() => dispatcher.destroy())

/** Starts a server on a free port; gives its port. It is stopped after the test, its connections with it. */
async function listen(server: net.Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stops.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

async function upstream(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(http.createServer(listener))}/`
}

/** A server that says what it likes, byte by byte, once a request has begun to arrive. */
async function raw(answer: (socket: Socket) => void): Promise<string> {
  return `http://127.0.0.1:${await listen(net.createServer((socket) => socket.once('data', () => answer(socket))))}/`
}

interface Call extends Partial<Endpoint> {
  args?: JsonObject
  credential?: string | null
  signal?: AbortSignal
  through?: Agent
  more?: Partial<ForwardRequest>
}

function call(
  url: string,
  {
    args = {},
    credential = null,
    signal = new AbortController().signal,
    through = dispatcher,
    more,
    ...changes
  }: Call = {},
): Promise<ForwardOutcome> {
  const endpoint: Endpoint = {
    url,
    method: 'POST',
    auth: { scheme: 'bearer' },
    headers: {},
    responseBytesMax: RESPONSE_BYTES_DEFAULT,
    ...changes,
  }
  const scrubber = createScrubber(credential, endpoint.auth)
  return httpForward({ dispatcher: through, egress: LOOPBACK })({
    connection: 'agents/a/tools/t@1',
    endpoint,
    args,
    credential,
    scrubber,
    signal,
    ...more,
  })
}

/** Aborts as the pipeline does when `when` comes, or at once. */
function abortable(reason: 'upstream_timeout' | 'cancelled') {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort(reason) }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return body
}

describe('an answer', () => {
  it('comes back with its status, after a request with args and credential', async () => {
    let seen: unknown
    const url = await upstream((request, response) => {
      void bodyOf(request).then((body) => {
        seen = {
          method: request.method,
          url: request.url,
          body,
          host: request.headers.host,
          auth: request.headers.authorization,
          type: request.headers['content-type'],
        }
        response.writeHead(201, { 'content-type': 'application/json' }).end('{"made":true}')
      })
    })
    expect(await call(`${url}things?x=1`, { args: { name: 'né' }, credential: 's3cret' })).toEqual({
      answered: true,
      status: 201,
      ok: true,
      answer: { type: 'json', value: { made: true } },
    })
    expect(seen).toEqual({
      method: 'POST',
      url: '/things?x=1',
      body: '{"name":"né"}',
      host: new URL(url).host,
      auth: 'Bearer s3cret',
      type: 'application/json',
    })
  })

  it.each([
    [200, true],
    [204, true],
    [299, true],
    [300, false],
    [304, false],
    [400, false],
    [401, false],
    [404, false],
    [429, false],
    [500, false],
    [503, false],
    [599, false],
  ])('of status %i is in band, ok: %s', async (status, ok) => {
    const url = await upstream((_request, response) => response.writeHead(status).end())
    expect(await call(url)).toEqual({ answered: true, status, ok, answer: { type: 'json', value: null } })
  })

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const)('to %s', async (method) => {
    const url = await upstream((request, response) =>
      response.writeHead(200, { 'content-type': 'text/plain' }).end(`${request.method} ${request.url}`),
    )
    expect(await call(url, { method, args: { q: 'a b' } })).toMatchObject({
      answer: { text: method === 'GET' || method === 'DELETE' ? `${method} /?q=a%20b` : `${method} /` },
    })
  })

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['gzip', zlib.gzipSync],
    ['br', zlib.brotliCompressSync],
    ['UTF-8', (bytes) => bytes],
    ['gzip', (bytes) => bytes],
  ])('in %s is decoded', async (encoding, compress) => {
    const url = await upstream((_request, response) =>
      response
        .writeHead(200, { 'content-type': 'text/plain', 'content-encoding': encoding })
        .end(compress(Buffer.from('clear'))),
    )
    expect(await call(url)).toMatchObject({ answered: true, answer: { type: 'text', text: 'clear' } })
  })

  it('without a length or chunks ends with its connection', async () => {
    const url = await raw((socket) => socket.end('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold school'))
    expect(await call(url)).toMatchObject({ answered: true, answer: { text: 'old school' } })
  })

  it('after interim responses is the last one', async () => {
    const url = await raw((socket) =>
      socket.write(
        'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi',
      ),
    )
    expect(await call(url)).toMatchObject({ answered: true, status: 200, answer: { text: 'hi' } })
  })

  it('of bytes stays bytes', async () => {
    const bytes = Buffer.from([0x89, 0x50, 0, 0xff])
    const url = await upstream((_request, response) =>
      response.writeHead(200, { 'content-type': 'image/png' }).end(bytes),
    )
    expect(await call(url)).toEqual({
      answered: true,
      status: 200,
      ok: true,
      answer: { type: 'binary', bytes, contentType: 'image/png' },
    })
  })

  it('may be as large as the limit, and no byte larger', async () => {
    const url = await upstream((request, response) =>
      response
        .writeHead(200, { 'content-type': 'text/plain' })
        .end(Buffer.alloc(RESPONSE_BYTES_DEFAULT + Number(request.headers['x-more']), 'a')),
    )
    const atLimit = await call(url, { headers: { 'x-more': '0' } })
    expect(atLimit.answered && atLimit.answer.type === 'text' && atLimit.answer.text.length).toBe(
      RESPONSE_BYTES_DEFAULT,
    )
    expect(await call(url, { headers: { 'x-more': '1' } })).toEqual({
      answered: false,
      status: 200,
      code: 'upstream_too_large',
      sent: true,
    })
  })
})

describe('connections', () => {
  it('are kept and reused by calls one after the other, of whatever credential', async () => {
    const ports = new Set<number | undefined>()
    const url = await upstream((request, response) => {
      ports.add(request.socket.remotePort)
      response.end()
    })
    for (let i = 0; i < 20; i++) await call(url, { credential: i % 3 === 0 ? null : `${i}` })
    // Two, because a connection is free only a moment after its answer has been read.
    expect(ports.size).toBeLessThanOrEqual(2)
  })

  it('never make one call wait for another', async () => {
    const waiting: (() => void)[] = []
    const url = await upstream((_request, response) => {
      waiting.push(() => response.end())
      if (waiting.length === 100) for (const answer of waiting) answer()
    })
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => call(url, { method: 'GET' })))
    expect(outcomes.every((outcome) => outcome.answered)).toBe(true)
  })

  it('carry bytes that nobody asked for into no later answer', async () => {
    const server = net.createServer((socket) => {
      socket.on('data', () =>
        socket.write(
          'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nminePOISONHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\npoison',
        ),
      )
    })
    const url = `http://127.0.0.1:${await listen(server)}/`
    for (let i = 0; i < 3; i++) {
      const outcome = await call(url)
      expect(JSON.stringify(outcome)).not.toMatch(/poison/i)
    }
  })
})

describe('a redirect', () => {
  const auths = [{ scheme: 'bearer' }, { scheme: 'header', name: 'x-api-key' }, { scheme: 'query', name: 'k' }] as const

  it.each([
    [301, 'GET'],
    [302, 'PUT'],
    [303, 'GET'],
    [307, 'POST'],
    [308, 'POST'],
  ] as const)('%i of a %s is followed; another origin gets nothing of the credential', async (status, method) => {
    const seen: string[] = []
    const elsewhere = await upstream((request, response) => {
      seen.push(JSON.stringify([request.url, request.rawHeaders]))
      response.end('"there"')
    })
    const url = await upstream((_request, response) => response.writeHead(status, { location: elsewhere }).end('moved'))
    for (const auth of auths)
      expect(await call(url, { method, auth, credential: 's3cret', headers: { 'x-team': 'blue' } })).toMatchObject({
        answered: true,
        status: 200,
        ok: true,
      })
    expect(seen).toHaveLength(3)
    expect(seen.join()).not.toMatch(/s3cret|blue/)
  })

  it('takes the credential out of the URL to another origin, and is not followed with it', async () => {
    const credential = '123:s3cret/token'
    const seen: (string | undefined)[] = []
    const elsewhere = await upstream((request, response) => {
      seen.push(request.url)
      response.end('"there"')
    })
    const url = await upstream((request, response) => {
      const location = request.url!.startsWith('/plain') ? elsewhere : elsewhere + request.url!.slice(1)
      response.writeHead(307, { location }).end('moved')
    })
    const auth = { scheme: 'url' } as const
    const send = (place: string) => call(url + place, { auth, credential })
    expect(await send('plain/{{credential}}?k={{credential}}')).toMatchObject({ answered: true, ok: true })
    for (const place of ['echo/{{credential}}/x', 'echo?k={{credential}}'])
      expect(await send(place)).toEqual({ answered: false, status: 307, code: 'upstream_redirect', sent: true })
    expect(seen).toEqual(['/'])
  })

  it.each([
    [301, 'POST'],
    [302, 'POST'],
    [303, 'DELETE'],
  ] as const)('%i of a %s is not the answer to it: nothing else is asked', async (status, method) => {
    const seen: string[] = []
    const url = await upstream((request, response) => {
      seen.push(request.method!)
      response.writeHead(status, { location: '/r/?k=s3cret-token' }).end('moved')
    })
    expect(await call(url, { method, credential: 's3cret-token' })).toEqual({
      answered: false,
      status,
      code: 'upstream_redirect',
      sent: true,
      location: '/r/?k=[redacted:credential]',
    })
    expect(seen).toEqual([method])
  })

  it('that goes on for ever is given up, in whatever way it was asked', async () => {
    const url = await upstream((request, response) => response.writeHead(307, { location: `${request.url}x` }).end())
    expect(await call(url)).toEqual({ answered: false, status: 307, code: 'upstream_redirect', sent: true })
  })

  it('without a place to go is the answer', async () => {
    const url = await upstream((_request, response) =>
      response.writeHead(302, { 'content-type': 'text/plain' }).end('moved'),
    )
    expect(await call(url)).toEqual({ answered: true, status: 302, ok: false, answer: { type: 'text', text: 'moved' } })
  })
})

it.each([
  [
    '{"a":',
    '1}',
    [
      { type: 'text', text: '{"a":' },
      { type: 'text', text: '1}' },
    ],
    { type: 'json', value: { a: 1 } },
  ],
  [
    'hé',
    'llo',
    [
      { type: 'text', text: 'hé' },
      { type: 'text', text: 'llo' },
    ],
    { type: 'json', value: null },
  ],
])('a stream without a type is what it begins like: %j', async (first, second, pieces, answer) => {
  const url = await upstream((_request, response) => {
    response.write(first, () => setTimeout(() => response.end(second), 20))
  })
  const seen: Piece[] = []
  const emit = async (piece: Piece) => void seen.push(piece)
  expect(await call(url, { more: { emit } })).toMatchObject({ answered: true, answer })
  expect(seen).toEqual(pieces)
})

describe('headers', () => {
  it('that help the caller go on come along, whatever the status', async () => {
    const passed = {
      link: '<https://api.example.com/x?page=2>; rel="next", <https://api.example.com/x?page=9>; rel="last"',
      location: '../orders/17',
      'retry-after': '17',
      'retry-after-ms': '17000',
      etag: 'W/"1"',
      ratelimit: '"default";r=50;t=30',
      'ratelimit-policy': '"default";q=100;w=60',
      'x-ratelimit-remaining': '0',
      'x-rate-limit-reset': '1700000000',
      'anthropic-ratelimit-tokens-limit': '9',
      'x-request-id': 'r-1',
      'x-total-count': '300',
    }
    const kept = { 'set-cookie': 'a=b', server: 'x', 'x-powered-by': 'y', 'x-api-key': 'z', 'x-accelerate-limit': '1' }
    for (const status of [200, 201, 404, 429, 503, 304]) {
      const url = await upstream((_request, response) => response.writeHead(status, { ...passed, ...kept }).end())
      expect(await call(url)).toMatchObject({ answered: true, status, headers: passed })
      expect(Object.keys(((await call(url)) as { headers: object }).headers).sort()).toEqual(Object.keys(passed).sort())
    }
  })

  it('are absent where there are none of those; repeated ones are joined, UTF-8 is read', async () => {
    const plain = await upstream((_request, response) => response.end())
    expect(await call(plain)).not.toHaveProperty('headers')
    const url = await upstream((_request, response) =>
      response
        .setHeader('Link', ['<a>; rel="next"', '<b>; rel="prev"'])
        .setHeader('Location', Buffer.from('/é').toString('latin1'))
        .end(),
    )
    expect(await call(url)).toMatchObject({
      headers: { link: '<a>; rel="next", <b>; rel="prev"', location: '/é' },
    })
  })
})

describe('what never answers', () => {
  it('a refused connection', async () => {
    const server = net.createServer()
    const port = await listen(server)
    await stops.pop()!()
    expect(await call(`http://127.0.0.1:${port}/`)).toEqual({
      answered: false,
      status: 0,
      code: 'upstream_unreachable',
      sent: false,
    })
  })

  it('a name that does not exist', async () => {
    const lookup: LookupAll = (_host, _options, callback) =>
      callback(Object.assign(new Error('none'), { code: 'ENOTFOUND' }), [])
    const through = createDispatcher({ policy: LOOPBACK, lookup })
    stops.push(() => through.destroy())
    expect(await call('http://nowhere.example.com/', { through })).toEqual({
      answered: false,
      status: 0,
      code: 'upstream_unreachable',
      sent: false,
    })
  })

  it('a reset or an end before the response line, and one within it', async () => {
    const resets = await raw((socket) => socket.resetAndDestroy())
    const ends = await raw((socket) => socket.end())
    const begins = await raw((socket) => socket.end('HTTP/1.1 200'))
    for (const url of [resets, ends, begins])
      expect(await call(url)).toEqual({ answered: false, status: 0, code: 'upstream_unreachable', sent: true })
  })

  it('what is no HTTP', async () => {
    const url = await raw((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'))
    expect(await call(url)).toEqual({ answered: false, status: 0, code: 'upstream_invalid', sent: true })
  })

  it('headers without end', async () => {
    const url = await raw((socket) => socket.write(`HTTP/1.1 200 OK\r\nX-Big: ${'a'.repeat(200_000)}`))
    expect(await call(url)).toEqual({ answered: false, status: 0, code: 'upstream_too_large', sent: true })
  })

  it('an address that the guard refuses, whether literal or looked up', async () => {
    let hits = 0
    const url = await upstream((_request, response) => {
      hits++
      response.end()
    })
    const lookup: LookupAll = (_host, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])
    const through = createDispatcher({ policy: STRICT, lookup })
    stops.push(() => through.destroy())
    expect(await call(url, { through })).toEqual({ answered: false, status: 0, code: 'blocked_url', sent: false })
    expect(await call(`http://api.example.com:${new URL(url).port}/`, { through })).toEqual({
      answered: false,
      status: 0,
      code: 'blocked_url',
      sent: false,
    })
    expect(hits).toBe(0)
  })

  it('a request that registration should have refused is our own failure, and is not sent', async () => {
    let hits = 0
    const url = await upstream((_request, response) => {
      hits++
      response.end()
    })
    expect(await call(url, { credential: 'a\r\nX-Evil: 1' })).toEqual({
      answered: false,
      status: 0,
      code: 'internal',
      sent: false,
    })
    expect(await call(url, { headers: { 'x-a': 'b\r\nX-Evil: 1' } })).toEqual({
      answered: false,
      status: 0,
      code: 'internal',
      sent: false,
    })
    expect(await call(url, { headers: { 'x a\r\n': 'b' } })).toEqual({
      answered: false,
      status: 0,
      code: 'internal',
      sent: false,
    })
    expect(await call('not a url')).toEqual({ answered: false, status: 0, code: 'internal', sent: false })
    expect(hits).toBe(0)
  })
})

describe('what breaks off', () => {
  it.each([
    [
      'a body shorter than its length',
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\npart',
    ],
    [
      'chunks without the last',
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n',
    ],
    [
      'chunks that are none',
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\npart\r\n',
    ],
    ['nothing after the headers', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n'],
  ])('%s', async (_what, answer) => {
    const ended = await raw((socket) => socket.end(answer))
    expect(await call(ended)).toEqual({ answered: false, status: 200, code: 'upstream_interrupted', sent: true })
  })

  it('a reset within the body', async () => {
    const url = await raw((socket) =>
      socket.write('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\npart', () =>
        setTimeout(() => socket.resetAndDestroy(), 20),
      ),
    )
    expect(await call(url)).toEqual({ answered: false, status: 502, code: 'upstream_interrupted', sent: true })
  })

  it('a compressed body cut short, though its message is whole', async () => {
    const bytes = zlib.gzipSync('some text that is long enough')
    const url = await upstream((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' }).end(bytes.subarray(0, -6)),
    )
    expect(await call(url)).toEqual({ answered: false, status: 200, code: 'upstream_interrupted', sent: true })
  })
})

describe('what is too much', () => {
  it('a bomb', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(4 * RESPONSE_BYTES_DEFAULT))
    const url = await upstream((_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb),
    )
    expect(await call(url)).toEqual({ answered: false, status: 200, code: 'upstream_too_large', sent: true })
  })

  it('four encodings, in one header or in four', async () => {
    const one = await upstream((_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip, gzip, gzip, gzip' }).end('x'),
    )
    const four = await upstream((_request, response) =>
      response.writeHead(200, Array<string[]>(4).fill(['content-encoding', 'gzip']).flat()).end('x'),
    )
    for (const url of [one, four])
      expect(await call(url)).toEqual({ answered: false, status: 200, code: 'upstream_invalid', sent: true })
  })

  it('a body without end is left, and its connection closed', async () => {
    let closed: Promise<unknown> | undefined
    const url = await upstream((_request, response) => {
      closed = once(response, 'close')
      response.writeHead(200, { 'content-type': 'text/plain' })
      const fill = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', fill)
      fill()
    })
    expect(await call(url)).toEqual({ answered: false, status: 200, code: 'upstream_too_large', sent: true })
    await closed
  })
})

describe('giving up', () => {
  it.each(['upstream_timeout', 'cancelled'] as const)(
    'before the response line: %s, status 0, and the upstream sees the connection close',
    async (reason) => {
      const { signal, abort } = abortable(reason)
      let closed: Promise<unknown> | undefined
      const url = await upstream((request) => {
        closed = once(request.socket, 'close')
        abort()
      })
      expect(await call(url, { signal })).toEqual({ answered: false, status: 0, code: reason, sent: true })
      await closed
    },
  )

  it.each(['upstream_timeout', 'cancelled'] as const)('within a dripping body: %s with the status', async (reason) => {
    const { signal, abort } = abortable(reason)
    let drops = 0
    const url = await raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n')
      const timer = setInterval(() => {
        if (socket.destroyed) clearInterval(timer)
        else socket.write('.', () => ++drops === 5 && abort())
      }, 5)
    })
    expect(await call(url, { signal })).toEqual({ answered: false, status: 200, code: reason, sent: true })
  })

  it('within dripping headers: status 0', async () => {
    const { signal, abort } = abortable('upstream_timeout')
    const url = await raw((socket) => socket.write('HTTP/1.1 200 OK\r\nX-Slow: ', () => setTimeout(abort, 20)))
    expect(await call(url, { signal })).toEqual({ answered: false, status: 0, code: 'upstream_timeout', sent: true })
  })

  it('while a name is looked up, and later sends nothing', async () => {
    const { signal, abort } = abortable('upstream_timeout')
    let hits = 0
    const url = await upstream((_request, response) => {
      hits++
      response.end()
    })
    const answers: (() => void)[] = []
    const lookup: LookupAll = (_host, _options, callback) => {
      answers.push(() => callback(null, [{ address: '127.0.0.1', family: 4 }]))
      if (answers.length === 1) setImmediate(abort)
      else for (const answer of answers) answer()
    }
    const through = createDispatcher({ policy: LOOPBACK, lookup })
    stops.push(() => through.destroy())
    const slow = `http://slow.example.com:${new URL(url).port}/`
    expect(await call(slow, { signal, through })).toEqual({
      answered: false,
      status: 0,
      code: 'upstream_timeout',
      sent: false,
    })
    // Now another call goes the same way; by when it is through, the first would have arrived too.
    expect(await call(slow, { through })).toMatchObject({ answered: true })
    expect(hits).toBe(1)
  })

  it('while TLS is being set up with somebody who says nothing', async () => {
    const { signal, abort } = abortable('cancelled')
    const port = await listen(net.createServer((socket) => socket.once('data', abort)))
    expect(await call(`https://127.0.0.1:${port}/`, { signal })).toEqual({
      answered: false,
      status: 0,
      code: 'cancelled',
      sent: false,
    })
  })

  it('before it began sends nothing', async () => {
    let hits = 0
    const url = await upstream((_request, response) => {
      hits++
      response.end()
    })
    for (const reason of ['cancelled', 'upstream_timeout'] as const) {
      expect(await call(url, { signal: AbortSignal.abort(reason) })).toEqual({
        answered: false,
        status: 0,
        code: reason,
        sent: false,
      })
    }
    expect(hits).toBe(0)
  })

  it('before it began waits for no look-up either', async () => {
    const through = createDispatcher({ policy: LOOPBACK, lookup: () => undefined })
    stops.push(() => through.destroy())
    expect(await call('http://slow.example.com/', { signal: AbortSignal.abort('cancelled'), through })).toEqual({
      answered: false,
      status: 0,
      code: 'cancelled',
      sent: false,
    })
  })

  it('leaves no listener on the signal of a call that ended well', async () => {
    const url = await upstream((_request, response) => response.end())
    const controller = new AbortController()
    let listening = 0
    const { signal } = controller
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => (listening++, add(...args))
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listening--, remove(...args))
    await call(url, { signal })
    await new Promise((resolve) => setImmediate(resolve))
    expect(listening).toBeLessThanOrEqual(0)
  })
})

describe('TLS', () => {
  const HOUR = 3_600_000
  const now = Date.now()
  const current = { from: new Date(now - HOUR), to: new Date(now + HOUR) }
  const lookup: LookupAll = (_host, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])

  async function serve(certificate: { key: string; cert: string }, calls: string[]): Promise<number> {
    return listen(
      https.createServer(certificate, (request, response) => {
        calls.push(String(request.headers.authorization))
        response.end('"secure"')
      }),
    )
  }

  function guest(): Agent {
    const through = createDispatcher({ policy: LOOPBACK, lookup })
    stops.push(() => through.destroy())
    return through
  }

  it('reaches a server whose certificate is trusted and for its name', async () => {
    const certificate = selfSigned({ hostname: 'api.example.com', ...current })
    const calls: string[] = []
    const port = await serve(certificate, calls)
    const trusted = tls.getCACertificates('default')
    tls.setDefaultCACertificates([...trusted, certificate.cert])
    stops.push(() => Promise.resolve(tls.setDefaultCACertificates(trusted)))
    expect(await call(`https://api.example.com:${port}/`, { through: guest(), credential: 's3cret' })).toMatchObject({
      answered: true,
      status: 200,
    })
    expect(calls).toEqual(['Bearer s3cret'])
    expect(await call(`https://other.example.com:${port}/`, { through: guest(), credential: 's3cret' })).toEqual({
      answered: false,
      status: 0,
      code: 'upstream_unreachable',
      sent: false,
    })
    expect(calls).toHaveLength(1)
  })

  it.each([
    ['self-signed', current, false],
    ['expired', { from: new Date(now - 2 * HOUR), to: new Date(now - HOUR) }, true],
  ])('refuses a certificate that is %s, before anything is sent', async (_what, validity, trust) => {
    const certificate = selfSigned({ hostname: 'api.example.com', ...validity })
    const calls: string[] = []
    const port = await serve(certificate, calls)
    const trusted = tls.getCACertificates('default')
    if (trust) tls.setDefaultCACertificates([...trusted, certificate.cert])
    stops.push(() => Promise.resolve(tls.setDefaultCACertificates(trusted)))
    expect(await call(`https://api.example.com:${port}/`, { through: guest(), credential: 's3cret' })).toEqual({
      answered: false,
      status: 0,
      code: 'upstream_unreachable',
      sent: false,
    })
    expect(calls).toEqual([])
  })

  it('refuses a server that speaks no TLS', async () => {
    const url = await upstream((_request, response) => response.end())
    expect(await call(url.replace('http:', 'https:'))).toEqual({
      answered: false,
      status: 0,
      code: 'upstream_unreachable',
      sent: false,
    })
  })
})
