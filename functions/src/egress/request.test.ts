import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Agent } from 'undici'
import { REDIRECTS_MAX, RESPONSE_HEADERS_BYTES_MAX, RESPONSE_HEADERS_MAX } from '@vitrine/core/limits'
import { createDispatcher } from './agent.ts'
import type { LookupAll } from './lookup.ts'
import { readEgressPolicy, STRICT, type EgressPolicy } from './policy.ts'
import { guardedRequest, type EgressFailure, type OutgoingRequest } from './request.ts'

const LISTED = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.0/8,::1' })
const SECRET = 's3cr3t-credential'
const SCRUBBER = {
  text: (text: string) => ({
    text: text.replace(SECRET, '[gone]'),
    count: text.includes(SECRET) || text.includes(Buffer.from(SECRET).toString('base64url')) ? 1 : 0,
  }),
}

interface Seen {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: string
}

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

function dispatcherFor(policy: EgressPolicy, lookup?: LookupAll): Agent {
  const agent = createDispatcher({ policy, ...(lookup && { lookup }) })
  cleanups.push(() => agent.destroy())
  return agent
}

/** A server that records its requests and answers `ok`, except on the given paths. */
async function origin(
  routes: Record<string, RequestListener> = {},
): Promise<{ url: string; port: number; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      seen.push({ method: request.method!, url: request.url!, headers: request.headers, body })
      const route = routes[request.url!.split('?')[0]!]
      if (route) route(request, response)
      else response.end('ok')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, seen }
}

/** A server that writes raw bytes. */
async function rawOrigin(answer: (socket: net.Socket) => void): Promise<string> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => new Promise((resolve) => (server.close(resolve), sockets.forEach((socket) => socket.destroy()))))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const redirect =
  (status: number, location: string | string[] | (() => string)): RequestListener =>
  (_request, response) => {
    response.statusCode = status
    response.setHeader('location', typeof location === 'function' ? location() : location).end()
  }

interface Sending extends Partial<OutgoingRequest> {
  policy?: EgressPolicy
  dispatcher?: Agent
}

/** The text of the answer, or `code sent status` of the failure and where it leads. */
async function send(
  url: string,
  { policy = LISTED, dispatcher = dispatcherFor(policy), ...changes }: Sending = {},
): Promise<string> {
  const request: OutgoingRequest = {
    url,
    method: 'POST',
    headers: { accept: 'a/b', 'content-type': 'application/json', 'x-harmless': '1' },
    ownHeaders: {
      authorization: `Bearer ${SECRET}`,
      'x-api-key': SECRET,
      cookie: 'a=b',
      'mcp-session-id': 'm',
      'idempotency-key': 'i',
      accept: 'own/accept',
    },
    queryCredential: null,
    body: '{"a":1}',
    scrubber: SCRUBBER,
    signal: new AbortController().signal,
    ...changes,
  }
  try {
    const response = await guardedRequest(dispatcher, policy, request)
    return `${response.statusCode} ${await response.body.text()}`
  } catch (error) {
    const { code, sent, status, location } = error as EgressFailure
    return [code, sent ? 'sent' : 'unsent', status, location].join(' ').trim()
  }
}

const OWN = ['authorization', 'x-api-key', 'cookie', 'mcp-session-id', 'idempotency-key']
const ownIn = ({ headers }: Seen) => OWN.filter((name) => name in headers)

describe('a redirect within the origin', () => {
  it.each([307, 308])('%i repeats method, body and headers', async (status) => {
    const server = await origin({ '/mcp': redirect(status, '/mcp/?x=1') })
    expect(await send(`${server.url}/mcp`)).toBe('200 ok')
    expect(server.seen[1]).toMatchObject({
      method: 'POST',
      url: '/mcp/?x=1',
      body: '{"a":1}',
      headers: { authorization: `Bearer ${SECRET}`, accept: 'own/accept', 'content-type': 'application/json' },
    })
    expect(ownIn(server.seen[1]!)).toEqual(OWN)
  })

  it.each([
    [301, 'PUT'],
    [302, 'DELETE'],
    [302, 'PATCH'],
    [301, 'GET'],
    [303, 'GET'],
    [303, 'HEAD'],
    [307, 'DELETE'],
  ] as const)('%i repeats a %s', async (status, method) => {
    const server = await origin({ '/a': redirect(status, '/b') })
    const body = method === 'PUT' || method === 'PATCH' ? '{"a":1}' : null
    expect(await send(`${server.url}/a`, { method, body })).toBe(method === 'HEAD' ? '200 ' : '200 ok')
    expect(server.seen[1]).toMatchObject({ method, body: body ?? '' })
    expect(ownIn(server.seen[1]!)).toEqual(OWN)
  })

  it.each([
    [301, 'POST'],
    [302, 'POST'],
    [303, 'POST'],
    [303, 'PUT'],
    [303, 'PATCH'],
    [303, 'DELETE'],
  ] as const)('%i makes no other request of a %s: it is refused, saying where it leads', async (status, method) => {
    const other = await origin()
    for (const location of ['/r/', '../é?a=b#c', `${other.url}/r`, `/r?token=${SECRET}`]) {
      const server = await origin({ '/a': redirect(status, Buffer.from(location).toString('latin1')) })
      expect(await send(`${server.url}/a`, { method })).toBe(
        `upstream_redirect sent ${status} ${location.replace(SECRET, '[gone]')}`,
      )
      expect(server.seen).toHaveLength(1)
    }
    expect(other.seen).toEqual([])
  })

  it('gets the credential of the query again, unless it brings one', async () => {
    const server = await origin({
      '/a': redirect(307, '/b?x=1'),
      '/b': redirect(307, '/c?k=theirs'),
      '/c': redirect(307, '?k='),
    })
    expect(await send(`${server.url}/a?y=%41`, { queryCredential: { name: 'k', value: 'a b&c' } })).toMatch(
      /^upstream_redirect/,
    )
    expect(server.seen.map(({ url }) => url)).toEqual([
      '/a?y=%41&k=a%20b%26c',
      '/b?x=1&k=a%20b%26c',
      '/c?k=theirs',
      '/c?k=',
    ])
  })

  it.each([
    ['/b', '/b'],
    ['b', '/x/b'],
    ['b?q', '/x/b?q'],
    ['../c#fragment', '/c'],
    ['/sp ace', '/sp%20ace'],
    ['//HOST/d', '/d'],
    ['http://HOST/e', '/e'],
    [Buffer.from('/é').toString('latin1'), '/%C3%A9'],
  ])('resolves %j', async (location, path) => {
    const server = await origin({ '/x/a': redirect(308, () => location.replace('HOST', server.url.slice(7))) })
    expect(await send(`${server.url}/x/a`)).toBe('200 ok')
    expect(server.seen[1]!.url).toBe(path)
  })
})

describe('a redirect to another origin', () => {
  it('takes along no credential, no own header and nothing that is not known to be harmless', async () => {
    const other = await origin()
    const server = await origin({ '/a': redirect(307, `${other.url}/b`) })
    expect(await send(`${server.url}/a`, { queryCredential: { name: 'k', value: SECRET } })).toBe('200 ok')
    expect(other.seen).toHaveLength(1)
    expect(other.seen[0]).toMatchObject({
      method: 'POST',
      url: '/b',
      body: '{"a":1}',
      headers: { accept: 'a/b', 'content-type': 'application/json' },
    })
    expect(Object.keys(other.seen[0]!.headers).sort()).toEqual([
      'accept',
      'connection',
      'content-length',
      'content-type',
      'host',
    ])
    expect(JSON.stringify(other.seen)).not.toContain(SECRET)
  })

  it('takes nothing of it along on the way back either', async () => {
    const server = await origin({ '/a': redirect(307, () => `${other.url}/b`) })
    const other = await origin({ '/b': redirect(307, `${server.url}/c`) })
    expect(await send(`${server.url}/a`, { queryCredential: { name: 'k', value: SECRET } })).toBe('200 ok')
    expect(server.seen.map(({ url }) => url)).toEqual([`/a?k=${SECRET}`, '/c'])
    expect(ownIn(server.seen[1]!)).toEqual([])
    expect(server.seen[1]!.headers.accept).toBe('a/b')
  })

  it('is one also by name, by case of the host none', async () => {
    const server = await origin({
      '/a': redirect(307, () => `http://localhost:${server.port}/b`),
      '/b': redirect(307, () => `http://LOCALHOST:${server.port}/c`),
    })
    expect(await send(`${server.url}/a`)).toBe('200 ok')
    expect(server.seen.map(ownIn)).toEqual([OWN, [], []])
    const named = await origin({ '/b': redirect(307, () => `http://LOCALHOST:${named.port}/c`) })
    expect(await send(`http://localhost:${named.port}/b`)).toBe('200 ok')
    expect(named.seen.map(ownIn)).toEqual([OWN, OWN])
  })

  it.each([`?key=${SECRET}`, `${SECRET}/`, `#${SECRET}`, Buffer.from(SECRET).toString('base64url')])(
    'is not followed with the credential in it: %s',
    async (rest) => {
      const other = await origin()
      const server = await origin({ '/a': redirect(307, `${other.url}/${rest}`) })
      expect(await send(`${server.url}/a`)).toBe('upstream_redirect sent 307')
      expect(other.seen).toEqual([])
    },
  )

  it('is not followed with the credential in the name of the host, whose case does not matter', async () => {
    const lookup: LookupAll = (_host, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])
    const server = await origin({
      '/a': redirect(307, () => `http://${SECRET.toUpperCase()}.example.com:${server.port}/`),
    })
    expect(await send(`${server.url}/a`, { dispatcher: dispatcherFor(LISTED, lookup) })).toBe(
      'upstream_redirect sent 307',
    )
    expect(server.seen).toHaveLength(1)
  })

  it('is followed within the origin with the credential in it', async () => {
    const server = await origin({ '/a': redirect(307, `/b?key=${SECRET}`) })
    expect(await send(`${server.url}/a`)).toBe('200 ok')
  })
})

describe('what is not followed', () => {
  it(`more than ${REDIRECTS_MAX} hops`, async () => {
    const hops = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`/${i}`, redirect(307, `/${i + 1}`)]))
    const [enough, tooMany, loop] = [
      await origin(hops(REDIRECTS_MAX)),
      await origin(hops(REDIRECTS_MAX + 1)),
      await origin({ '/0': redirect(307, '/0') }),
    ]
    expect(await send(`${enough.url}/0`)).toBe('200 ok')
    for (const server of [tooMany, loop]) {
      expect(await send(`${server.url}/0`)).toBe('upstream_redirect sent 307')
      expect(server.seen).toHaveLength(REDIRECTS_MAX + 1)
    }
  })

  it.each([
    [300, { location: '/b' }],
    [304, { location: '/b' }],
    [305, { location: '/b' }],
    [306, { location: '/b' }],
    [200, { location: '/b' }],
    [201, { location: '/b' }],
    [302, {}],
    [307, { location: '' }],
  ])('%i with %j is an answer', async (status, headers) => {
    const server = await origin({
      '/a': (_request, response) =>
        response.writeHead(status, headers as Record<string, string>).end(status === 304 ? undefined : 'said'),
    })
    expect(await send(`${server.url}/a`)).toBe(`${status} ${status === 304 ? '' : 'said'}`)
    expect(server.seen).toHaveLength(1)
  })

  it.each([
    'http://10.0.0.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:127.0.0.1]/',
    'http://metadata.google.internal/',
    'http://2852039166/',
    '//169.254.169.254/',
    'http://127.0.0.1:22/',
    'https://8.8.8.8:25/',
    'http://8.8.8.8/',
    'http://0.0.0.0:8080/',
  ])('%s is blocked', async (location) => {
    const server = await origin({ '/a': redirect(302, location) })
    expect(await send(`${server.url}/a`)).toBe('blocked_url sent 302')
  })

  it.each([
    'file:///etc/passwd',
    'gopher://127.0.0.1:6379/_INFO',
    'ftp://example.com/',
    'javascript:alert(1)',
    'data:text/plain,x',
    'https://user:pass@example.com/',
    'https://@example.com/',
    '//user@127.0.0.1:8080/',
    'https:///example.com/',
    'https:example.com',
    '\\\\127.0.0.1\\x',
    '/\\127.0.0.1/',
    'http:\\\\127.0.0.1/',
    'https://exa\tmple.com/',
    'http://[::1',
    'http://256.1.1.1/',
    '//',
  ])('%j is refused', async (location) => {
    const server = await origin({ '/a': redirect(302, location) })
    expect(await send(`${server.url}/a`)).toBe('upstream_redirect sent 302')
    expect(server.seen).toHaveLength(1)
  })

  it('two Locations', async () => {
    const server = await origin({ '/a': redirect(302, ['/b', '/c']) })
    expect(await send(`${server.url}/a`)).toBe('upstream_redirect sent 302')
  })

  it('a name that resolves to where tools may not go, when it is dialled', async () => {
    const lookup: LookupAll = (_host, _options, callback) => callback(null, [{ address: '127.0.0.2', family: 4 }])
    const policy = readEgressPolicy({ VITRINE_EGRESS_ALLOW: '127.0.0.1' })
    const server = await origin({ '/a': redirect(307, () => `http://rebind.example.com:${server.port}/b`) })
    expect(await send(`${server.url}/a`, { policy, dispatcher: dispatcherFor(policy, lookup) })).toBe(
      'blocked_url sent 307',
    )
  })
})

describe('what a redirect says besides', () => {
  it('is not waited for', async () => {
    const other = await origin()
    const slow = await rawOrigin(
      (socket) =>
        void socket.write(
          `HTTP/1.1 307 Temporary Redirect\r\nLocation: ${other.url}/\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
        ),
    )
    expect(await send(slow)).toBe('200 ok')
  })

  it('is not taken without end', async () => {
    const other = await origin()
    const closed = vi.fn()
    const endless = await rawOrigin((socket) => {
      socket.once('close', closed).write(`HTTP/1.1 307 Temporary Redirect\r\nLocation: ${other.url}/\r\n\r\n`)
      const more = () => void (socket.writable && socket.write(Buffer.alloc(64 * 1024), more))
      more()
    })
    expect(await send(endless)).toBe('200 ok')
    await vi.waitUntil(() => closed.mock.calls.length > 0, { timeout: 20_000 })
  })
})

describe('headers of the response', () => {
  const headers = (count: number, value = '1') =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, value]))
  // Node adds date, connection, keep-alive, content-length.
  it.each<[string, Record<string, string | string[]>, string]>([
    ['as many as may be', headers(RESPONSE_HEADERS_MAX - 4), '200 ok'],
    ['one more', headers(RESPONSE_HEADERS_MAX - 3), 'upstream_too_large sent 200'],
    [
      'one name too often',
      { 'set-cookie': Array<string>(RESPONSE_HEADERS_MAX + 1).fill('a=b') },
      'upstream_too_large sent 200',
    ],
    ['large ones', headers(8, 'a'.repeat(1_900)), '200 ok'],
    ['a huge one', { 'x-a': 'a'.repeat(RESPONSE_HEADERS_BYTES_MAX) }, 'upstream_too_large sent 0'],
  ])('%s', async (_what, given, expected) => {
    const server = await origin({
      '/a': (_request, response) => response.writeHead(200, { ...given, 'content-length': 2 }).end('ok'),
    })
    expect(await send(`${server.url}/a`)).toBe(expected)
  })

  it('are bounded on redirects too', async () => {
    const server = await origin({
      '/a': (_request, response) => response.writeHead(307, { ...headers(RESPONSE_HEADERS_MAX), location: '/b' }).end(),
    })
    expect(await send(`${server.url}/a`)).toBe('upstream_too_large sent 307')
    expect(server.seen).toHaveLength(1)
  })

  it('without end are cut off', async () => {
    const endless = await rawOrigin((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const more = () => void (socket.writable && socket.write('x-a: 1\r\n'.repeat(64), more))
      more()
    })
    expect(await send(endless)).toBe('upstream_too_large sent 0')
  })
})

describe('whether a request left', () => {
  it.each([
    ['nobody listens', async () => `http://127.0.0.1:${await closedPort()}/`, 'upstream_unreachable unsent 0'],
    ['the address is blocked', () => Promise.resolve('http://10.0.0.1/'), 'blocked_url unsent 0'],
    ['the port is blocked', () => Promise.resolve('http://127.0.0.1:25/'), 'blocked_url unsent 0'],
    [
      'the server speaks no TLS',
      async () => (await origin()).url.replace('http', 'https'),
      'upstream_unreachable unsent 0',
    ],
    ['the server hangs up', () => rawOrigin((socket) => socket.destroy()), 'upstream_unreachable sent 0'],
    [
      'the server speaks no HTTP',
      () => rawOrigin((socket) => void socket.end('SSH-2.0-OpenSSH_9.6\r\n')),
      'upstream_invalid sent 0',
    ],
    [
      'the answer of a redirect hangs up',
      async () => {
        const gone = await rawOrigin((socket) => socket.destroy())
        return (await origin({ '/a': redirect(307, gone) })).url + '/a'
      },
      'upstream_unreachable sent 307',
    ],
    [
      'nobody listens where a redirect points',
      async () => (await origin({ '/a': redirect(307, `http://127.0.0.1:${await closedPort()}/`) })).url + '/a',
      'upstream_unreachable sent 307',
    ],
  ])('%s', async (_when, url, expected) => expect(await send(await url())).toBe(expected))

  it('name that does not resolve', async () => {
    const missing: LookupAll = (_host, _options, callback) =>
      callback(Object.assign(new Error('none'), { code: 'ENOTFOUND' }), [])
    expect(
      await send('https://nowhere.example.com/', { policy: STRICT, dispatcher: dispatcherFor(STRICT, missing) }),
    ).toBe('upstream_unreachable unsent 0')
  })
})

describe('the deadline', () => {
  it.each([
    [undefined, 'upstream_timeout'],
    ['cancelled', 'cancelled'],
  ])('given up before: %s', async (reason, code) => {
    const server = await origin()
    expect(await send(server.url, { signal: AbortSignal.abort(reason) })).toBe(`${code} unsent 0`)
    expect(server.seen).toEqual([])
  })

  it('holds while a name is resolved, when nothing has left', async () => {
    const asked = Promise.withResolvers<void>()
    const stop = new AbortController()
    const sending = send('https://slow.example.com/', {
      policy: STRICT,
      dispatcher: dispatcherFor(STRICT, () => asked.resolve()),
      signal: stop.signal,
    })
    await asked.promise
    stop.abort('cancelled')
    expect(await sending).toBe('cancelled unsent 0')
  })

  it('holds for a request that waits for a connection, which it never gets', async () => {
    const asked = Promise.withResolvers<() => void>()
    const lookup: LookupAll = (_host, _options, callback) =>
      asked.resolve(() => callback(null, [{ address: '127.0.0.1', family: 4 }]))
    const server = await origin()
    const stop = new AbortController()
    const sending = send(`http://slow.example.com:${server.port}/`, {
      dispatcher: dispatcherFor(LISTED, lookup),
      signal: stop.signal,
    })
    const resolve = await asked.promise
    stop.abort('cancelled')
    expect(await sending).toBe('cancelled unsent 0')
    resolve()
    expect(await send(server.url)).toBe('200 ok')
    expect(server.seen).toHaveLength(1)
  })

  it('holds over all hops', async () => {
    const stop = new AbortController()
    const server = await origin({ '/a': redirect(307, '/b'), '/b': () => stop.abort() })
    expect(await send(`${server.url}/a`, { signal: stop.signal })).toBe('upstream_timeout sent 307')
  })

  it('leaves no listener on its signal', async () => {
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    const server = await origin({ '/a': redirect(307, '/b') })
    expect(await send(`${server.url}/a`, { signal })).toBe('200 ok')
    await vi.waitUntil(() => removed.mock.calls.length === added.mock.calls.length, { timeout: 20_000 })
  })
})

it('a hung origin keeps nobody else waiting', async () => {
  const hung = await origin({ '/': () => undefined })
  const healthy = await origin()
  const dispatcher = dispatcherFor(LISTED)
  const stop = new AbortController()
  const waiting = Array.from({ length: 100 }, () => send(hung.url, { dispatcher, signal: stop.signal }))
  await vi.waitUntil(() => hung.seen.length === 100, { timeout: 20_000 })
  expect(await send(healthy.url, { dispatcher })).toBe('200 ok')
  expect(await send(`${hung.url}/other`, { dispatcher })).toBe('200 ok')
  stop.abort('cancelled')
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['cancelled sent 0']))
})

async function closedPort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
