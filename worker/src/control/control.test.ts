import type { Answer, Input } from '@vitrine/core/api/contract'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ServerStatus, WorkerPolicy } from '@vitrine/core/policy/worker-protocol'
import { controlClient } from './client.ts'
import { createControl, type Control } from './control.ts'

/** A control plane that does what the test says, for faults that the real one can't be made to show. */

const KEY = 'tools.pol_1.secret-that-must-not-be-seen'

interface Asked {
  operation: string
  authorization: string | undefined
  data: Record<string, unknown>
}

type Reply = { status: number; body: unknown } | 'hang up' | { raw: string }

let asked: Asked[]
let replies: Record<string, (n: number) => Reply>
let server: ReturnType<typeof createServer>
let url: string
let lines: string[]
let control: Control | undefined
let policies: WorkerPolicy[]
let refusals: unknown[]
let refusedServers: [slug: string, reason: string][]
let states: ServerStatus[]

beforeEach(async () => {
  asked = []
  policies = []
  refusals = []
  refusedServers = []
  states = []
  lines = []
  replies = {
    connect: () => result({ policy: policyOf(1), heartbeatMs: 5, keys: [] } satisfies Answer<'worker/connect'>),
    heartbeat: () => result({}),
    report: () => result({}),
    disconnect: () => result({}),
  }
  vi.spyOn(console, 'error').mockImplementation((line: string) => void lines.push(line))
  server = createServer((req, res) => void answer(req, res))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base`
})

afterEach(async () => {
  await control?.stop()
  control = undefined
  server.closeAllConnections()
  server.close()
  expect(JSON.stringify([lines, refusals])).not.toContain('must-not-be-seen')
})

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  let text = ''
  for await (const chunk of req) text += String(chunk)
  const operation = req.url!.replace('/base/worker/', '')
  asked.push({
    operation,
    authorization: req.headers.authorization,
    data: (JSON.parse(text) as { data: Record<string, unknown> }).data,
  })
  const reply = replies[operation]!(asked.filter((one) => one.operation === operation).length)
  if (reply === 'hang up') return void req.socket.destroy()
  if ('raw' in reply) return void res.end(reply.raw)
  res.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body))
}

function result(value: unknown): Reply {
  return { status: 200, body: { result: value } }
}

function failure(status: number, code: string): Reply {
  return { status, body: { error: { status: 'X', message: 'It failed.', details: { code } } } }
}

function policyOf(version: number): WorkerPolicy {
  return {
    policyId: 'pol_1',
    orgId: 'org_1',
    name: 'P',
    version,
    builtins: { web_search: false, web_answers: false, web_fetch: false, code_executor: false },
    servers: [],
  }
}

function start(): Promise<void> {
  control = createControl({
    client: controlClient({ url, key: KEY }),
    instanceId: 'i1',
    url: 'http://worker',
    states: () => states,
    onPolicy: (policy) => void policies.push(policy),
    onKeys: () => Promise.resolve(),
    onRefused: (slug, reason) => void refusedServers.push([slug, reason]),
    onRevoked: (reason) => void refusals.push(reason),
    backoff: () => 5,
  })
  return control.start()
}

function count(operation: string): number {
  return asked.filter((one) => one.operation === operation).length
}

function beats(): Input<'worker/heartbeat'>[] {
  return asked
    .filter(({ operation }) => operation === 'heartbeat')
    .map(({ data }) => data as unknown as Input<'worker/heartbeat'>)
}

async function until(condition: () => boolean): Promise<void> {
  await vi.waitUntil(condition, { timeout: 20_000, interval: 5 })
}

test('connects however long the control plane is away, and says so once', async () => {
  const outage: Reply[] = [
    'hang up',
    failure(503, 'unavailable'),
    { raw: '<html>' },
    { status: 200, body: { surprise: 1 } },
    failure(500, 'internal'),
  ]
  const connected = replies['connect']!
  replies['connect'] = (n) => outage[n - 1] ?? connected(n)
  await start()
  expect([count('connect'), policies.map(({ version }) => version), lines.length]).toEqual([6, [1], 1])
  expect(asked[0]).toEqual({
    operation: 'connect',
    authorization: `Bearer ${KEY}`,
    data: { instanceId: 'i1', url: 'http://worker' },
  })
})

test('a changed policy is taken once, and the next heartbeat names its version', async () => {
  replies['heartbeat'] = (n) => result(n < 4 ? { policy: policyOf(2) } : {})
  await start()
  await until(() => count('heartbeat') > 5)
  expect(policies.map(({ version }) => version)).toEqual([1, 2])
  expect(
    beats()
      .slice(0, 2)
      .map(({ policyVersion }) => policyVersion),
  ).toEqual([1, 2])
})

test('heartbeats go on through an outage, and events are delivered after it, once and in order', async () => {
  await start()
  replies['heartbeat'] = (n) => (n < 6 ? 'hang up' : result({}))
  control!.event({ slug: 'a', type: 'crashed', detail: 'x'.repeat(600) })
  await until(() => count('heartbeat') >= 2)
  control!.event({ slug: 'a', type: 'recovered' })
  await until(() => count('heartbeat') > 8)
  const delivered = beats()
    .slice(5)
    .flatMap(({ events = [] }) => events)
  expect(delivered).toEqual([
    { slug: 'a', type: 'crashed', detail: 'x'.repeat(500) },
    { slug: 'a', type: 'recovered' },
  ])
})

test('no more events are kept than a heartbeat takes, the newest of them', async () => {
  replies['connect'] = () => 'hang up'
  void start()
  for (let i = 0; i < 150; i++) control!.event({ slug: `s${i}`, type: 'crashed' })
  replies['connect'] = () => result({ policy: policyOf(1), heartbeatMs: 5, keys: [] })
  await until(() => count('heartbeat') > 0)
  expect(beats()[0]!.events!.map(({ slug }) => slug)).toEqual(Array.from({ length: 100 }, (_, i) => `s${i + 50}`))
})

test('a report is sent until it is taken, and dropped when it is refused', async () => {
  const report = (slug: string): object => ({ slug, version: '1.0.0', integrity: 'sha512-x', tools: [{ name: 'a' }] })
  replies['report'] = (n) => (n < 3 ? 'hang up' : n === 3 ? failure(409, 'pin_mismatch') : result({}))
  await start()
  control!.report(report('one') as Parameters<Control['report']>[0])
  control!.report(report('two') as Parameters<Control['report']>[0])
  await until(() => count('report') >= 4)
  await until(() => count('heartbeat') >= 3)
  const sent = asked.filter(({ operation }) => operation === 'report').map(({ data }) => data['slug'])
  expect(sent).toEqual(['one', 'one', 'one', 'two'])
  expect(lines.filter((line) => line.includes('The tools of one were refused'))).toHaveLength(1)
})

test.each([
  ['too large a list is told in its place', 413, 'request_too_large', [{ problem: 'It failed.' }], []],
  ['a list that is refused is told in its place', 400, 'invalid_argument', [{ problem: 'It failed.' }], []],
  ['another package is not served', 409, 'pin_mismatch', [], [['a', 'It failed.']]],
  ['a server that the policy lacks is none any more', 404, 'server_not_found', [], []],
])('what becomes of a report that is refused: %s', async (_what, status, code, next, refused) => {
  replies['report'] = (n) => (n === 1 ? failure(status, code) : result({}))
  await start()
  control!.report({ slug: 'a', tools: [{ name: 'x' }] })
  await until(() => count('report') > next.length && count('heartbeat') > 1)
  const reports = asked.filter(({ operation }) => operation === 'report').map(({ data }) => data)
  expect(reports.slice(1)).toEqual(next.map((more) => ({ instanceId: 'i1', slug: 'a', ...more })))
  expect(refusedServers).toEqual(refused)
})

test('a server whose list is refused in every form is not served', async () => {
  replies['report'] = (n) => (n === 1 ? failure(413, 'request_too_large') : failure(502, 'upstream_invalid'))
  await start()
  control!.report({ slug: 'a', tools: [{ name: 'x' }] })
  await until(() => refusedServers.length > 0)
  expect(refusedServers).toEqual([['a', 'It failed.']])
})

test('states are told as they are, without what the control plane does not ask for', async () => {
  states = [
    { slug: 'a', state: 'ready', version: '1.0.0' } as ServerStatus,
    { slug: 'b', state: 'failed', error: 'y'.repeat(501) },
  ]
  await start()
  await until(() => count('heartbeat') > 0)
  expect(beats()[0]!.servers).toEqual([
    { slug: 'a', state: 'ready' },
    { slug: 'b', state: 'failed', error: 'y'.repeat(500) },
  ])
})

test.each([
  ['connect', 401, 'invalid_key'],
  ['heartbeat', 401, 'invalid_key'],
  ['heartbeat', 404, 'policy_not_found'],
  ['report', 401, 'malformed_key'],
])('a key that %s answers %i %s to ends it, and nothing is asked any more', async (operation, status, code) => {
  replies[operation] = () => failure(status, code)
  await start()
  control!.report({ slug: 'a', version: '1.0.0', integrity: 'x', tools: [] })
  await until(() => refusals.length > 0)
  const before = asked.length
  await control!.stop()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect([asked.length, refusals.length, refusals[0]]).toEqual([before, 1, { code, message: 'It failed.' }])
})

test('stop says farewell, and nothing comes after it', async () => {
  await start()
  await until(() => count('heartbeat') > 1)
  await control!.stop()
  const { operation, data } = asked.at(-1)!
  expect({ operation, data }).toEqual({ operation: 'disconnect', data: { instanceId: 'i1' } })
  const before = asked.length
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(asked.length).toBe(before)
})

test('stop ends a start that never got through', async () => {
  replies['connect'] = () => 'hang up'
  const started = start()
  await until(() => count('connect') > 1)
  await control!.stop()
  await started
  expect(count('disconnect')).toBe(0)
})

test('a lockfile is asked for by the name of its server, and is a text', async () => {
  const client = controlClient({ url, key: KEY })
  replies['lockfile'] = (n) =>
    [result({ lockfile: '{}' }), result({ lockfile: {} }), failure(404, 'server_not_found')][n - 1]!
  expect(await client.lockfile({ slug: 'a' })).toEqual({ ok: true, value: '{}' })
  expect(asked[0]).toMatchObject({ operation: 'lockfile', data: { slug: 'a' } })
  expect(await client.lockfile({ slug: 'a' })).toMatchObject({ ok: false, error: { code: 'unavailable' } })
  expect(await client.lockfile({ slug: 'a' })).toMatchObject({ ok: false, error: { code: 'server_not_found' } })
})

test('the key goes to no other address', async () => {
  const elsewhere = createServer((_req, res) => void res.end('{}')).listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  let visited = 0
  elsewhere.on('request', () => visited++)
  const redirect = createServer(
    (_req, res) =>
      void res.writeHead(307, { location: `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/` }).end(),
  ).listen(0, '127.0.0.1')
  await once(redirect, 'listening')
  const client = controlClient({ url: `http://127.0.0.1:${(redirect.address() as AddressInfo).port}`, key: KEY })
  expect(await client.keys()).toMatchObject({ ok: false, error: { code: 'unavailable' } })
  expect(visited).toBe(0)
  redirect.close()
  elsewhere.close()
})
