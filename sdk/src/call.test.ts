import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ERRORS, type ErrorCode } from '@vitrine/core/errors'
import { reveal } from '../../test/sdk/reveal.ts'
import { testKey } from '../../test/sdk/test-key.ts'
import {
  failure,
  json,
  raw,
  result,
  silence,
  startWireServer,
  type Respond,
  type WireServer,
} from '../../test/sdk/wire-server.ts'
import { VitrineError } from './error.ts'
import { Vitrine } from './index.ts'
import type { VitrineOptions } from './options.ts'

let wire: WireServer
const key = testKey()
const secret = key.split('.')[2]!

// One for each test: a request that was given up may arrive when the next test has begun.
beforeEach(async () => {
  wire = await startWireServer()
})
afterEach(() => wire.close())

function client(options: Partial<VitrineOptions> = {}): Vitrine {
  const identity = 'getToken' in options ? {} : { key }
  return new Vitrine({ baseUrl: wire.url, ...identity, ...options } as VitrineOptions)
}

/** The error of one invocation that the server answers so; the key is in none of it. */
async function errorOf(respond: Respond, invoker = client()): Promise<VitrineError> {
  wire.respond = respond
  const error: unknown = await invoker.tools.invoke({ name: 'search', args: {} }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof VitrineError)) throw new Error(`not a VitrineError: ${String(error)}`)
  expect(reveal(error)).not.toContain(secret)
  return error
}

describe('errors that the server reports', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])('%s', async (code) => {
    const error = await errorOf(failure(code, { field: 'x' }, 'Because.'))
    expect(error).toMatchObject({ name: 'VitrineError', code, message: 'Because.', details: { code, field: 'x' } })
    expect(error).toMatchObject({ status: ERRORS[code].http, retryable: ERRORS[code].retryable })
    // Not even what may be retried is: the tool may have been called.
    expect(wire.requests).toHaveLength(1)
  })

  it('passes on when the quota resets', async () => {
    const error = await errorOf(failure('quota_exceeded', { resetsAt: '2026-02-01T00:00:00.000Z' }))
    expect(error.details['resetsAt']).toBe('2026-02-01T00:00:00.000Z')
  })

  it.each([
    ['UNAUTHENTICATED', 401, 'unauthenticated', false],
    ['INTERNAL', 500, 'internal', false],
    ['UNAVAILABLE', 503, 'unavailable', true],
    ['OUT_OF_RANGE', 400, 'invalid_response', false],
    ['toString', 503, 'invalid_response', true],
  ])('reads the status %s where there is no code', async (status, http, code, retryable) => {
    expect(await errorOf(json(http, { error: { status, message: 'INTERNAL' } }))).toMatchObject({
      code,
      status: http,
      retryable,
    })
  })

  it('keeps the code and the verdict of a newer server', async () => {
    const details = { code: 'tool_frozen', retryable: true }
    const error = await errorOf(json(403, { error: { status: 'PERMISSION_DENIED', message: 'Frozen.', details } }))
    expect(error).toMatchObject({ code: 'permission_denied', message: 'Frozen.', retryable: true, details })
  })

  it.each([{ code: '__proto__' }, { code: 7 }, 'details', null, []])('survives the details %j', async (details) => {
    const error = await errorOf(json(500, { error: { status: 'INTERNAL', message: 5, details } }))
    expect(error).toMatchObject({ code: 'internal', message: ERRORS.internal.message })
  })

  it('takes out the key when the server quotes it', async () => {
    const message = `bad header: Bearer ${key}`
    const error = await errorOf(failure('internal', { echo: [key] }, message))
    expect(error.message).toBe('bad header: Bearer [redacted]')
  })
})

describe('answers that are not in the protocol', () => {
  const html = { 'content-type': 'text/html' }
  it.each<[string, number, boolean, Respond]>([
    ['a proxy page', 502, true, raw(502, '<html>Bad Gateway</html>', html)],
    ['a busy platform', 429, true, raw(429, 'Rate exceeded.', html)],
    ['a login page', 200, false, raw(200, '<html>Sign in</html>', html)],
    ['an empty body', 200, false, raw(200, '')],
    ['broken JSON', 200, false, raw(200, '{"result":{"status":200')],
    ['an array', 200, false, json(200, [])],
    ['null', 200, false, json(200, null)],
    ['no result', 200, false, json(200, { data: {} })],
    ['a result of the wrong type', 200, false, json(200, { result: 'ok' })],
    ['a field of the wrong type', 200, false, json(200, { result: { status: '200', ok: true, receipt: {} } })],
    ['a list for an object', 200, false, json(200, { result: { status: 200, ok: true, receipt: [] } })],
    ['a result with a failing status', 500, false, json(500, { result: { status: 200, ok: true, receipt: {} } })],
    ['an error that is a text', 503, true, json(503, { error: 'down' })],
  ])('%s', async (_, status, retryable, respond) => {
    expect(await errorOf(respond)).toMatchObject({ code: 'invalid_response', status, retryable })
    expect(wire.requests).toHaveLength(1)
  })

  it('does not quote the page: it may hold anything', async () => {
    expect(reveal(await errorOf(raw(502, `<pre>authorization: Bearer ${key}</pre> hunter2`)))).not.toContain('hunter2')
  })
})

describe('the network', () => {
  it('is refused a connection', async () => {
    const gone = await startWireServer()
    await gone.close()
    const error = await errorOf(silence, client({ baseUrl: gone.url }))
    expect(error).toMatchObject({ code: 'network_error', status: 0, retryable: true })
    expect(reveal(error)).toContain('ECONNREFUSED')
  })

  it('breaks off before the answer', async () => {
    expect(await errorOf((response) => response.destroy())).toMatchObject({ code: 'network_error', status: 0 })
    expect(wire.requests).toHaveLength(1)
  })

  it('breaks off within the answer', async () => {
    const error = await errorOf((response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"result"', () => response.destroy())
    })
    expect(error).toMatchObject({ code: 'network_error', status: 200, retryable: true })
  })

  it.each([301, 302, 303, 307, 308])('follows no redirect (%s): the key stays with its host', async (status) => {
    const elsewhere = await startWireServer()
    expect(await errorOf(raw(status, '', { location: `${elsewhere.url}/invokeTool` }))).toMatchObject({
      code: 'network_error',
    })
    expect(elsewhere.requests).toEqual([])
    await elsewhere.close()
  })
})

describe('deadline and abort', () => {
  it('gives up after timeoutMs', async () => {
    expect(await errorOf(silence, client({ timeoutMs: 50 }))).toMatchObject({
      code: 'timeout',
      status: 0,
      retryable: true,
    })
    expect(wire.requests).toHaveLength(1)
  })

  it('gives up on a body that does not end', async () => {
    const error = await errorOf((response) => response.writeHead(200).write('{'), client({ timeoutMs: 50 }))
    expect(error).toMatchObject({ code: 'timeout' })
  })

  it('gives up on a getToken that hangs, and sends nothing', async () => {
    const getToken = () => new Promise<string>(() => {})
    expect(await errorOf(silence, client({ getToken, timeoutMs: 50 }))).toMatchObject({ code: 'timeout' })
    expect(wire.requests).toEqual([])
  })

  it('gives up on a fetch that ignores its signal', async () => {
    const fetch = () => new Promise<Response>(() => {})
    expect(await errorOf(silence, client({ fetch, timeoutMs: 50 }))).toMatchObject({ code: 'timeout' })
  })

  it('closes the connection when the caller aborts', async () => {
    const controller = new AbortController()
    const closed = new Promise<void>((resolve) => {
      wire.respond = (response) => {
        response.once('close', resolve)
        controller.abort(new Error('changed my mind'))
      }
    })
    const invocation = client().tools.invoke({ name: 'search' }, { signal: controller.signal })
    await expect(invocation).rejects.toMatchObject({
      code: 'aborted',
      retryable: false,
      cause: { message: 'changed my mind' },
    })
    await closed
    expect(wire.requests).toHaveLength(1)
  })

  it('calls an AbortSignal.timeout of the caller an abort', async () => {
    wire.respond = silence
    const invocation = client().tools.invoke({ name: 'search' }, { signal: AbortSignal.timeout(30) })
    await expect(invocation).rejects.toMatchObject({ code: 'aborted', cause: { name: 'TimeoutError' } })
  })

  it('sends nothing and asks for no token when aborted beforehand', async () => {
    let asked = 0
    const getToken = () => String(asked++)
    const invocation = client({ getToken }).tools.list({ signal: AbortSignal.abort() })
    await expect(invocation).rejects.toMatchObject({ code: 'aborted' })
    expect([asked, wire.requests.length]).toEqual([0, 0])
  })

  it('leaves no listener on the signal', async () => {
    wire.respond = result({ tools: [] })
    const { signal } = new AbortController()
    const listeners = new Set<unknown>()
    signal.addEventListener = (_: string, listener: unknown) => listeners.add(listener)
    signal.removeEventListener = (_: string, listener: unknown) => listeners.delete(listener)
    // fetch gets a signal of our own, so what is registered here is the SDK's.
    await client().tools.list({ signal })
    expect(listeners.size).toBe(0)
    wire.respond = failure('unavailable')
    await client()
      .tools.list({ signal })
      .catch(() => undefined)
    expect(listeners.size).toBe(0)
  })
})

describe('getToken', () => {
  it('is asked at each request', async () => {
    wire.respond = result({ tools: [] })
    let asked = 0
    const vitrine = client({ getToken: async () => `token-${++asked}` })
    await vitrine.tools.list()
    await vitrine.tools.list()
    expect(wire.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer token-1', 'Bearer token-2'])
  })

  it('may fail; its error is the cause', async () => {
    const cause = new Error('signed out')
    const getToken = () => Promise.reject(cause)
    expect(await errorOf(silence, client({ getToken }))).toMatchObject({ code: 'unauthenticated', status: 0, cause })
  })

  it.each([undefined, null, '', 'a b', `hunter2\r\nx: y`, 'hunter2ä', 5])(
    'may not give %j, which is not sent and not quoted',
    async (token) => {
      const error = await errorOf(silence, client({ getToken: () => token as string }))
      expect(error).toMatchObject({ code: 'unauthenticated', status: 0 })
      expect(reveal(error)).not.toContain('hunter2')
      expect(wire.requests).toEqual([])
    },
  )
})

describe('a fetch of the caller', () => {
  it('is called as a plain function, never to follow redirects or send cookies', async () => {
    const calls: unknown[] = []
    const fetch = function (this: unknown, url: unknown, init: RequestInit): Promise<Response> {
      calls.push([this, url, init.redirect, init.credentials])
      return Promise.resolve(Response.json({ result: { tools: [] } }))
    }
    await client({ fetch: fetch as typeof globalThis.fetch }).tools.list()
    expect(calls).toEqual([[undefined, `${wire.url}/listTools`, 'error', 'omit']])
  })
})
