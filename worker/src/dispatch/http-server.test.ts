import { request as httpRequest } from 'node:http'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { parseJson } from '@vitrine/core/json/parse'
import type { JsonObject } from '@vitrine/core/json/value'
import { LOG_COMMAND, type CallBody, type Sealed } from '@vitrine/core/policy/worker-protocol'
import type { CallOutcome, PoolCall } from '../server/api.ts'
import { createDispatch, type Dispatch } from './http-server.ts'
import { createKeyRing } from './key-ring.ts'
import { createSeenCalls } from './replay.ts'
import { claimsFor, INSTANCE_ID, newBody, newSigner, POLICY_ID, tokenFor, type Signer } from './token.fixture.ts'
import { tokenVerifier } from './token.ts'

/** The HTTP surface, with a pool whose calls end when the test says so. */

let signer: Signer
let create: (instanceId: string) => Dispatch
let dispatch: Dispatch
let url: string
let calls: PoolCall[]
let pool: (call: PoolCall) => Promise<CallOutcome>

beforeEach(async () => {
  calls = []
  pool = () => Promise.resolve({ ok: true, result: { content: [] } })
  signer = await newSigner()
  const ring = createKeyRing({ ask: () => Promise.resolve({ ok: true, value: [signer.key] }), now: Date.now })
  create = (instanceId) =>
    createDispatch({
      verify: tokenVerifier({ policyId: POLICY_ID, instanceId, findKey: ring.find, now: Date.now }),
      seen: createSeenCalls(Date.now),
      isEnabled: (server, command) => server === 'memory' && command !== 'delete_entities',
      pool: {
        call(request) {
          calls.push(request)
          return pool(request)
        },
        stderr: (slug) => [`${slug} said`],
      },
      orgId: () => 'acme',
      health: () => ({ instanceId }),
      callsMax: 3,
    })
  dispatch = create(INSTANCE_ID)
  url = `http://127.0.0.1:${await dispatch.listen(0, '127.0.0.1')}`
})

afterEach(() => dispatch.close())

interface Sent {
  at?: string
  token?: string
  raw?: string
  signal?: AbortSignal
}

async function post(body: CallBody, { at = url, token, raw, signal }: Sent = {}): Promise<Response> {
  const authorization = `Bearer ${token ?? (await tokenFor(signer, claimsFor(body)))}`
  return fetch(`${at}/call`, {
    method: 'POST',
    headers: { authorization },
    body: raw ?? JSON.stringify(body),
    ...(signal && { signal }),
  })
}

async function answerOf(response: Promise<Response>): Promise<[number, unknown]> {
  const { status, text } = await response.then(async (got) => ({ status: got.status, text: await got.text() }))
  return [status, JSON.parse(text)]
}

async function codeOf(response: Promise<Response>): Promise<[number, string]> {
  const [status, body] = await answerOf(response)
  return [status, (body as { error: { code: string } }).error.code]
}

/** A user's secret, as it is stored. */
function ofUser(orgId: string, user: string): Sealed {
  return {
    enc: 'AAAA',
    kmsKey: 'k',
    resource: `projects/p/databases/(default)/documents/orgs/${orgId}/secrets/user:${user}:token#enc`,
  }
}

/** A pool whose calls hang until they are released or aborted. */
function hanging(): { letGo(): void } {
  const go = Promise.withResolvers<CallOutcome>()
  pool = ({ signal }) => {
    const aborted = new Promise<CallOutcome>((resolve) => {
      signal.addEventListener('abort', () =>
        resolve({
          ok: false,
          code: signal.reason === 'cancelled' ? 'cancelled' : 'upstream_timeout',
          message: 'Ended.',
        }),
      )
    })
    return Promise.race([go.promise, aborted])
  }
  return { letGo: () => go.resolve({ ok: true, result: { content: [] } }) }
}

test('passes a call on as it was signed, and its result as it came', async () => {
  pool = () =>
    Promise.resolve({
      ok: true,
      result: { content: [{ type: 'text', text: 'ü', extra: 1 }], structuredContent: { a: [null] } },
    })
  const body = newBody({ user: 'u1', userSecrets: { TOKEN: ofUser('acme', 'u1') }, arguments: { deep: [{ x: null }] } })
  expect(await answerOf(post(body))).toEqual([
    200,
    { result: { content: [{ type: 'text', text: 'ü', extra: 1 }], structuredContent: { a: [null] } } },
  ])
  const { signal: _, ...passed } = calls[0]!
  expect(passed).toEqual({
    server: 'memory',
    command: 'read_graph',
    arguments: { deep: [{ x: null }] },
    user: 'u1',
    userSecrets: body.userSecrets,
  })
})

test('keeps the digits of numbers, to which the token is bound', async () => {
  pool = (call) => Promise.resolve({ ok: true, result: { content: [], structuredContent: call.arguments } })
  const body = newBody({ arguments: parseJson('{"id":725653563933458432,"of":[1.0,-0,1e400]}') as JsonObject })
  const raw = JSON.stringify(body)
  expect(raw).toContain('725653563933458432')
  expect(await codeOf(post(body, { raw: raw.replace('8432', '8433') }))).toEqual([401, 'invalid_key'])
  expect(await codeOf(post(body, { raw: raw.replace('1.0', '1') }))).toEqual([401, 'invalid_key'])
  expect(await (await post(body)).text()).toBe(
    '{"result":{"content":[],"structuredContent":{"id":725653563933458432,"of":[1.0,-0,1e400]}}}',
  )
})

test("says a failure's code and message, with its status", async () => {
  pool = () => Promise.resolve({ ok: false, code: 'upstream_interrupted', message: 'The process ended.' })
  expect(await answerOf(post(newBody()))).toEqual([
    502,
    { error: { code: 'upstream_interrupted', message: 'The process ended.' } },
  ])
})

test('a call is made once, whatever the body says besides', async () => {
  const body = newBody()
  const token = await tokenFor(signer, claimsFor(body))
  expect((await answerOf(post(body, { token })))[0]).toBe(200)
  expect(await codeOf(post(body, { token }))).toEqual([401, 'invalid_key'])
  expect(await codeOf(post(body))).toEqual([401, 'invalid_key'])
  expect(calls).toHaveLength(1)
})

test('of two at the same time, one is made', async () => {
  const body = newBody()
  const statuses = await Promise.all([answerOf(post(body)), answerOf(post(body)), answerOf(post(body))])
  expect(statuses.map(([status]) => status).sort()).toEqual([200, 401, 401])
})

test('a token that was made for one worker is of no use at another, nor after it was used', async () => {
  const sibling = create('instance_other')
  const at = `http://127.0.0.1:${await sibling.listen(0, '127.0.0.1')}`
  const body = newBody()
  const token = await tokenFor(signer, claimsFor(body))
  expect(await codeOf(post(body, { at, token }))).toEqual([401, 'invalid_key'])
  expect((await post(body, { token })).status).toBe(200)
  expect(await codeOf(post(body, { at, token }))).toEqual([401, 'invalid_key'])
  expect(calls).toHaveLength(1)
  await sibling.close()
})

test("secrets that are not of the call's user, or of another organization, are not passed on", async () => {
  const userSecrets = { MINE: ofUser('acme', 'u1'), TOKEN: ofUser('acme', 'u1') }
  const codes = [{ TOKEN: ofUser('acme', 'u2') }, { TOKEN: ofUser('other', 'u1') }].map((other) =>
    codeOf(post(newBody({ user: 'u1', userSecrets: { ...userSecrets, ...other } }))),
  )
  expect(await Promise.all([...codes, codeOf(post(newBody({ userSecrets })))])).toEqual(
    Array.from({ length: 3 }, () => [500, 'credential_unreadable']),
  )
  expect(calls).toHaveLength(0)
})

test.each([
  ['timeoutMs', { timeoutMs: 5_001 }],
  ['stream', { stream: true }],
  ['userSecrets', { userSecrets: { TOKEN: ofUser('acme', 'u1') } }],
  ['arguments', { arguments: { a: 2 } }],
  ['command', { command: 'open_nodes' }],
  ['server', { server: 'other' }],
  ['call', { call: 'another' }],
  ['user', { user: 'eve' }],
])('other %s than those signed are refused', async (_what, changes) => {
  const body = newBody()
  expect(await codeOf(post({ ...body, ...changes }, { token: await tokenFor(signer, claimsFor(body)) }))).toEqual([
    401,
    'invalid_key',
  ])
  expect(calls).toHaveLength(0)
})

test('a forged token is refused before the body is read', async () => {
  const forger = await newSigner(signer.key.kid)
  const token = await tokenFor(forger, claimsFor(newBody()))
  expect(await codeOf(post(newBody(), { token, raw: 'x'.repeat(1_000_000) }))).toEqual([401, 'invalid_key'])
})

test('a disabled command and an unknown server look the same', async () => {
  expect(await codeOf(post(newBody({ command: 'delete_entities' })))).toEqual([404, 'tool_not_found'])
  expect(await codeOf(post(newBody({ server: 'other' })))).toEqual([404, 'tool_not_found'])
  expect(calls).toHaveLength(0)
})

test.each([
  ['no JSON', '{', 'invalid_json', 400],
  ['nothing', '', 'invalid_json', 400],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]).toString('latin1'), 'invalid_argument', 400],
  ['a list', '[]', 'invalid_argument', 400],
  ['too much', JSON.stringify('x'.repeat(1_100_000)), 'request_too_large', 413],
])('a body that is %s is refused', async (_what, raw, code, status) => {
  expect(await codeOf(post(newBody(), { raw }))).toEqual([status, code])
})

test.each([
  { timeoutMs: 0 },
  { timeoutMs: 1.5 },
  { command: 'a\u200bb' },
  { command: '' },
  { server: 'A' },
  { server: 'a__b' },
  { extra: 1 },
  { arguments: [] },
  { stream: 'yes' },
  { userSecrets: { A: { enc: 'AAAA', env: 'B' } } },
  { userSecrets: { A: 'plain' } },
])('a field that is wrong is refused: %j', async (changes) => {
  const body = newBody()
  expect(await codeOf(post(body, { raw: JSON.stringify({ ...body, ...changes }) }))).toEqual([400, 'invalid_argument'])
})

test('ends a call at its deadline, with more asked for than is given', async () => {
  hanging()
  expect(await codeOf(post(newBody({ timeoutMs: 20 })))).toEqual([504, 'upstream_timeout'])
  const timer = vi.spyOn(globalThis, 'setTimeout')
  const asked = new AbortController()
  const gone = post(newBody({ timeoutMs: 3_600_000 }), { signal: asked.signal })
  await vi.waitUntil(() => calls.length === 2, { timeout: 20_000 })
  expect(timer.mock.calls.map(([, ms]) => ms)).toContain(60_000)
  asked.abort()
  await gone.catch(() => {})
  timer.mockRestore()
})

test('a caller that goes away cancels the call, streamed or not', async () => {
  hanging()
  for (const stream of [false, true]) {
    const asked = new AbortController()
    const gone = post(newBody({ stream }), { signal: asked.signal })
      .then((response) => response.text())
      .catch(() => 'gone')
    await vi.waitUntil(() => calls.length === (stream ? 2 : 1), { timeout: 20_000 })
    asked.abort()
    expect(await gone).toBe('gone')
    await vi.waitUntil(() => calls.at(-1)!.signal.aborted, { timeout: 20_000 })
    expect(calls.at(-1)!.signal.reason).toBe('cancelled')
  }
})

test('streams progress as it comes, and the result at last', async () => {
  const go = Promise.withResolvers<void>()
  pool = async ({ onProgress }) => {
    onProgress!({ progress: 1, total: 2, message: 'line\nbreak' })
    await go.promise
    return { ok: true, result: { content: [] } }
  }
  const response = await post(newBody({ stream: true }))
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader.read()).value).toBe('data: {"progress":{"progress":1,"total":2,"message":"line\\nbreak"}}\n\n')
  go.resolve()
  expect((await reader.read()).value).toBe('data: {"result":{"content":[]}}\n\n')
  expect((await reader.read()).done).toBe(true)
})

test('a streamed call that fails says so at last', async () => {
  pool = () => Promise.resolve({ ok: false, code: 'upstream_too_large', message: 'Too large.' })
  expect(await (await post(newBody({ stream: true }))).text()).toBe(
    'data: {"error":{"code":"upstream_too_large","message":"Too large."}}\n\n',
  )
})

test('a reader that does not read is sent no more progress than its socket holds', async () => {
  let sent = 0
  pool = async ({ onProgress, signal }) => {
    for (let i = 0; i < 2_000 && !signal.aborted; i++) {
      onProgress!({ progress: i, message: 'x'.repeat(20_000) })
      sent += 20_000
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    return { ok: true, result: { content: [] } }
  }
  const body = newBody({ stream: true })
  const authorization = `Bearer ${await tokenFor(signer, claimsFor(body))}`
  const received = await new Promise<number>((resolve) => {
    const req = httpRequest(`${url}/call`, { method: 'POST', headers: { authorization } }, (res) => {
      res.pause()
      const timer = setInterval(() => {
        if (sent < 2_000 * 20_000) return
        clearInterval(timer)
        let length = 0
        res
          .on('data', (chunk: Buffer) => (length += chunk.length))
          .on('end', () => resolve(length))
          .resume()
      }, 20)
    })
    req.end(JSON.stringify(body))
  })
  expect(received).toBeLessThan(sent / 2)
})

test('more calls than there is room for are refused, until one ends', async () => {
  const { letGo } = hanging()
  const running = [post(newBody()), post(newBody()), post(newBody())]
  await vi.waitUntil(() => calls.length === 3, { timeout: 20_000 })
  expect(await codeOf(post(newBody()))).toEqual([429, 'too_many_calls'])
  letGo()
  expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200, 200])
  expect((await post(newBody())).status).toBe(200)
})

test('drain lets calls finish and takes no new ones', async () => {
  const { letGo } = hanging()
  const running = post(newBody())
  await vi.waitUntil(() => calls.length === 1, { timeout: 20_000 })
  const drained = dispatch.drain(60_000)
  expect(await codeOf(post(newBody()))).toEqual([503, 'unavailable'])
  expect((await fetch(`${url}/healthz`)).status).toBe(503)
  letGo()
  expect((await running).status).toBe(200)
  await drained
})

test('drain gives up after a while, and close cancels what still runs', async () => {
  hanging()
  const running = post(newBody())
  await vi.waitUntil(() => calls.length === 1, { timeout: 20_000 })
  await dispatch.drain(30)
  const closed = dispatch.close()
  expect(await codeOf(running)).toEqual([499, 'cancelled'])
  await closed
  await expect(fetch(`${url}/healthz`)).rejects.toThrow()
})

test('a pool that breaks its word is an internal error, without a word about it', async () => {
  const lines: string[] = []
  vi.spyOn(console, 'error').mockImplementation((line: string) => void lines.push(line))
  pool = () => Promise.reject(new Error('broken inside'))
  expect(await codeOf(post(newBody()))).toEqual([500, 'internal'])
  expect(lines.join()).toContain('broken inside')
  vi.restoreAllMocks()
})

test('health and everything that is not there', async () => {
  expect(await answerOf(fetch(`${url}/healthz`))).toEqual([200, { instanceId: INSTANCE_ID }])
  expect(await codeOf(fetch(`${url}/`))).toEqual([404, 'unknown_operation'])
  expect(await codeOf(fetch(`${url}/call/x`, { method: 'POST' }))).toEqual([404, 'unknown_operation'])
  expect(await codeOf(fetch(`${url}/call`))).toEqual([405, 'method_not_allowed'])
  expect(await codeOf(fetch(`${url}/call`, { method: 'POST' }))).toEqual([401, 'unauthenticated'])
})

test('tells what a server wrote to stderr, to the control plane alone and once', async () => {
  const body = newBody({ command: LOG_COMMAND, arguments: {} })
  const token = await tokenFor(signer, claimsFor(body))
  const log = (by: string, sent: CallBody = body) =>
    fetch(`${url}/log`, { method: 'POST', headers: { authorization: `Bearer ${by}` }, body: JSON.stringify(sent) })
  expect(await codeOf(log('x.y.z'))).toEqual([401, 'invalid_key'])
  expect(await answerOf(log(token))).toEqual([200, { lines: ['memory said'] }])
  expect(await codeOf(log(token))).toEqual([401, 'invalid_key'])
  // The token of a call does not authorize reading the log.
  const call = newBody()
  expect(await codeOf(log(await tokenFor(signer, claimsFor(call)), call))).toEqual([404, 'tool_not_found'])
  expect(calls).toEqual([])
})
