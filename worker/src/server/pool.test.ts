import { definitionHash } from '@vitrine/core/policy/definition'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseJson } from '@vitrine/core/json/parse'
import type { JsonObject } from '@vitrine/core/json/value'
import { isAlive, misbehaving, sealed, testPool, type TestPool } from './pool.fixture.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
const WAIT = { timeout: 20_000, interval: 50 }

let t: TestPool
async function open(): Promise<void> {
  t = await testPool({ processesMax: 3, idleMs: 3_600_000 })
}
async function close(): Promise<void> {
  await t.close()
  expect(t.processes()).toEqual([])
}
/** Each test of a block gets a pool of its own. */
function useNewPools(): void {
  beforeEach(open)
  afterEach(close)
}

const PER_USER = {
  env: [
    { name: 'TOKEN', perUser: true as const, secret: 'token' },
    { name: 'PLAIN', value: 'plain' },
  ],
}
const as = (user: string, secret = `${user}-secret`) => ({ user, userSecrets: { TOKEN: sealed(secret) } })
const digestOf = (value: string) => createHash('sha256').update(value).digest('hex')

describe('a call', () => {
  // One pool for all: its server starts again only for tests that change it or end it.
  beforeAll(open)
  beforeEach(() => t.pool.apply({ servers: [misbehaving('one', 'good', { commands: null })] }))
  afterAll(close)

  test('gives the raw result, fields that no schema knows included', async () => {
    const outcome = await t.call('one', 'extras')
    expect(outcome).toEqual({
      ok: true,
      result: { content: [{ type: 'text', text: '"x"' }], unknownField: { kept: true }, _meta: { 'example.org/a': 1 } },
    })
    expect(t.tools[0]!.tools!.find(({ name }) => name === 'echo')).toEqual({
      name: 'echo',
      inputSchema: { type: 'object' },
      'x-unknown': 4,
    })
  })

  test('keeps the digits of numbers, and reads those of the protocol however they are spelled', async () => {
    const given = '{"id":725653563933458432,"of":[-0,1.0,1E5,0.1000000000000000055,1e400]}'
    const heard: object[] = []
    const outcome = await t.call('one', 'verbatim', parseJson(given) as JsonObject, {
      onProgress: (progress) => heard.push(progress),
    })
    expect(JSON.stringify(outcome)).toBe(`{"ok":true,"result":{"content":[],"structuredContent":${given}}}`)
    expect(heard).toEqual([{ progress: 1 }])
  })

  test("gives the server's own error as a result", async () => {
    expect(await t.call('one', 'error')).toEqual({
      ok: true,
      result: {
        isError: true,
        content: [{ type: 'text', text: 'No such thing.' }],
        error: { code: -32000, message: 'No such thing.', data: { hint: 'x' } },
      },
    })
  })

  test('of an unknown server, or of an unknown or disabled command, finds no tool', async () => {
    await t.pool.apply({ servers: [misbehaving('one', 'good', { commands: ['echo', 'not-there'] })] })
    expect(await t.call('two', 'echo')).toMatchObject({ ok: false, code: 'tool_not_found' })
    expect(await t.call('one', 'not-there')).toMatchObject({ ok: false, code: 'tool_not_found' })
    expect(await t.call('one', 'pid')).toMatchObject({ ok: false, code: 'tool_not_found' })
    expect(await t.ask('one', 'echo', { a: 1 })).toEqual({ a: 1 })
  })

  test('beyond the capabilities of its server finds no tool, and the control plane is told of none', async () => {
    await t.pool.apply({ servers: [misbehaving('one', 'good', { capabilities: ['echo', 'p.*'] })] })
    expect(await t.ask('one', 'echo', { a: 1 })).toEqual({ a: 1 })
    expect(await t.call('one', 'pid')).toMatchObject({ ok: false, code: 'tool_not_found' })
    expect(t.tools.at(-1)).toMatchObject({ slug: 'one', pin: null, tools: [{ name: 'echo' }] })
    expect(t.tools.at(-1)!.tools).toHaveLength(1)
  })

  test('of a server that is not here says why, until it is', async () => {
    const absent = { slug: 'one', enabled: true, commands: null, absent: 'There is none.' }
    await t.pool.apply({ servers: [absent] })
    expect(t.pool.states()).toEqual([{ slug: 'one', state: 'failed', error: 'There is none.' }])
    expect(await t.call('one', 'echo')).toEqual({ ok: false, code: 'server_failed', message: 'There is none.' })
    await t.pool.apply({ servers: [misbehaving('one')] })
    expect(await t.ask('one', 'echo', { a: 1 })).toEqual({ a: 1 })
    await t.pool.apply({ servers: [absent] })
    expect(t.pool.states()).toEqual([{ slug: 'one', state: 'failed', error: 'There is none.' }])
  })

  test('tells its progress', async () => {
    const seen: unknown[] = []
    expect(await t.ask('one', 'progress', {}, { onProgress: (progress) => void seen.push(progress) })).toBe('done')
    expect(seen).toEqual([
      { progress: 1, total: 2 },
      { progress: 2, total: 2 },
    ])
  })

  test('ends with its signal, and the server is told', async () => {
    const [late, gone] = [new AbortController(), new AbortController()]
    const calls = [
      t.call('one', 'hang', {}, { signal: late.signal }),
      t.call('one', 'hang', {}, { signal: gone.signal }),
    ]
    const before = await t.ask<unknown[]>('one', 'cancelled')
    late.abort()
    gone.abort('cancelled')
    expect(await Promise.all(calls)).toMatchObject([
      { ok: false, code: 'upstream_timeout' },
      { ok: false, code: 'cancelled' },
    ])
    expect(await t.ask('one', 'cancelled')).toHaveLength(before.length + 2)
    expect(await t.call('one', 'echo', {}, { signal: AbortSignal.abort('cancelled') })).toMatchObject({
      ok: false,
      code: 'cancelled',
    })
  })

  test('leaves no listener on its signal', async () => {
    const { signal } = new AbortController()
    const add = vi.spyOn(signal, 'addEventListener')
    const remove = vi.spyOn(signal, 'removeEventListener')
    for (let n = 0; n < 5; n++) await t.ask('one', 'echo', {}, { signal })
    expect(add.mock.calls.length).toBeGreaterThan(0)
    expect(remove.mock.calls.length).toBe(add.mock.calls.length)
  })

  test('whose server asks the client for something has it refused', async () => {
    expect(await t.ask('one', 'ask-client')).toMatchObject({ error: { code: -32601 } })
  })

  test('answered with what is no JSON-RPC fails as that', async () => {
    expect(await t.call('one', 'invalid-answer')).toMatchObject({ ok: false, code: 'upstream_invalid' })
    expect(await t.call('one', 'deep', { levels: 500 })).toMatchObject({ ok: true })
    expect(await t.call('one', 'deep', { levels: 100_000 })).toMatchObject({ ok: false, code: 'upstream_invalid' })
  })

  test('answered just before the server ends still has its answer', async () => {
    expect(await t.ask('one', 'answer-and-exit')).toBe('last words')
    await vi.waitFor(() => expect(t.events).toContainEqual({ slug: 'one', type: 'restarted' }), WAIT)
  })

  test('of many at the same time loses none', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => t.ask('one', 'echo', { n })))
    expect(answers).toEqual(Array.from({ length: 200 }, (_, n) => ({ n })))
  })

  test('beyond those that one process may have is refused', async () => {
    const stop = new AbortController()
    const hanging = Array.from({ length: 256 }, () => t.call('one', 'hang', {}, { signal: stop.signal }))
    expect(await t.call('one', 'echo')).toMatchObject({ ok: false, code: 'too_many_calls' })
    stop.abort('cancelled')
    await Promise.all(hanging)
    expect(await t.ask('one', 'echo', {})).toEqual({})
  })
})

describe('a server', () => {
  useNewPools()

  test('that crashes ends its calls at once and is there for the next', async () => {
    await t.pool.apply({ servers: [misbehaving('one')] })
    const pid = await t.ask('one', 'pid')
    const hanging = t.call('one', 'hang')
    expect(await t.call('one', 'exit', { code: 7 })).toMatchObject({ ok: false, code: 'upstream_interrupted' })
    expect(await hanging).toMatchObject({ ok: false, code: 'upstream_interrupted' })
    expect(await t.ask('one', 'pid')).not.toBe(pid)
    expect(t.events).toEqual([
      { slug: 'one', type: 'crashed', detail: 'exited with code 7' },
      { slug: 'one', type: 'restarted' },
    ])
  })

  test('that crashes is started again without a call', async () => {
    await t.pool.apply({ servers: [misbehaving('one')] })
    await t.call('one', 'exit')
    await vi.waitFor(() => expect(t.events).toContainEqual({ slug: 'one', type: 'restarted' }), WAIT)
    expect(t.pool.states()).toEqual([{ slug: 'one', state: 'ready' }])
  })

  test.each(['tools/list', 'ping'] as const)(
    'that does not answer %s is unhealthy, and started again',
    async (method) => {
      await t.pool.apply({
        servers: [misbehaving('one', 'good', { healthCheck: { intervalSeconds: 0.1, timeoutSeconds: 2, method } })],
      })
      const pid = await t.ask<number>('one', 'pid')
      await t.ask('one', 'sulk')
      await vi.waitFor(() => expect(t.events.map(({ type }) => type)).toEqual(['unhealthy', 'recovered']), WAIT)
      expect(t.events[0]!.detail).toBe(`no answer to ${method} within 2 s`)
      expect(await t.ask('one', 'pid')).not.toBe(pid)
      await vi.waitFor(() => expect(isAlive(pid)).toBe(false), WAIT)
    },
  )

  test('that never answers the handshake fails the call that waits for it by its deadline, and others not at all', async () => {
    const applied = t.pool.apply({ servers: [misbehaving('stuck', 'never-answers'), misbehaving('one')] })
    await vi.waitFor(async () => expect(await t.ask('one', 'echo', {})).toEqual({}), WAIT)
    expect(t.pool.states()).toMatchObject([
      { slug: 'stuck', state: 'starting' },
      { slug: 'one', state: 'ready' },
    ])
    expect(await t.call('stuck', 'echo', {}, { signal: AbortSignal.timeout(100) })).toMatchObject({
      ok: false,
      code: 'upstream_timeout',
    })
    await t.pool.apply({ servers: [misbehaving('one')] })
    await applied
  })

  test('that is no program here says so', async () => {
    await t.pool.apply({ servers: [misbehaving('one', 'good', { executable: 'no-such-program' })] })
    expect(t.pool.states()[0]!.error).toBe('no-such-program is not installed where the worker runs.')
  })

  test('that changes its tools is told of again, once', async () => {
    await t.pool.apply({ servers: [misbehaving('one')] })
    await t.ask('one', 'change-tools', { name: 'new-tool' })
    await vi.waitFor(() => expect(t.tools).toHaveLength(2), WAIT)
    expect(t.tools[1]!.tools!.map(({ name }) => name)).toContain('new-tool')
    await t.ask('one', 'change-tools', { name: 'new-tool' })
    await t.ask('one', 'echo')
    expect(t.tools).toHaveLength(2)
  })

  test('that changes a command is not called for what was pinned, from the moment that it says so', async () => {
    await t.pool.apply({ servers: [misbehaving('one')] })
    const pinned = definitionHash(t.tools[0]!.tools!.filter(({ name }) => name === 'echo'))
    expect(await t.call('one', 'echo', { a: 1 }, { pinned })).toMatchObject({ ok: true })
    await t.ask('one', 'list-otherwise', { how: 'otherwise' })
    const changed = { ok: false, code: 'manifest_changed' }
    expect(await t.call('one', 'echo', { a: 1 }, { pinned })).toMatchObject(changed)
    const added = definitionHash([{ name: 'gone' }])
    expect(await t.call('one', 'gone', {}, { pinned: added })).toMatchObject(changed)
    await t.ask('one', 'list-otherwise', { how: 'well' })
    expect(await t.call('one', 'echo', { a: 1 }, { pinned })).toMatchObject({ ok: true })
  })

  test.each([
    ['does not list its tools any more', 'not', /did not list/],
    ['lists what cannot be compared', 'unhashable', /cannot be compared/],
  ])('that %s is not called, and it is told', async (_what, how, problem) => {
    await t.pool.apply({ servers: [misbehaving('one')] })
    const pinned = definitionHash(t.tools[0]!.tools!.filter(({ name }) => name === 'echo'))
    await t.ask('one', 'list-otherwise', { how })
    expect(await t.call('one', 'echo', {}, { pinned })).toMatchObject({ ok: false, code: 'manifest_changed' })
    expect(await t.call('one', 'echo', {})).toMatchObject({ ok: false, code: 'tool_not_found' })
    expect(t.tools.at(-1)).toMatchObject({ slug: 'one', problem: expect.stringMatching(problem) as string })
  })

  test('whose list is too long is told of with the commands that are on, or as one that cannot be taken', async () => {
    await t.pool.apply({
      servers: [misbehaving('one', 'good', { commands: ['echo', 'list-otherwise'] }), misbehaving('two')],
    })
    for (const server of ['one', 'two']) await t.ask(server, 'list-otherwise', { how: 'long' })
    await vi.waitFor(() => expect(t.tools).toHaveLength(4), WAIT)
    const told = (slug: string) => t.tools.findLast((one) => one.slug === slug)!
    expect(told('one').tools!.map(({ name }) => name)).toEqual(['echo', 'list-otherwise'])
    expect(told('two').problem).toBe('The list of tools is larger than 4 MiB.')
    await t.pool.apply({ servers: [misbehaving('one', 'good', { commands: ['echo'] }), misbehaving('two')] })
    expect(told('one').tools).toHaveLength(1)
  })

  test('whose list is refused is called no more, until it lists something else', async () => {
    await t.pool.apply({ servers: [misbehaving('one')] })
    t.pool.refuse('one', 'The list of tools is too large.')
    expect(t.pool.states()).toEqual([{ slug: 'one', state: 'failed', error: 'The list of tools is too large.' }])
    expect(await t.call('one', 'change-tools', { name: 'x' })).toMatchObject({ ok: false, code: 'server_failed' })
  })

  test('that names its folder lists the same after each start and at each worker, for whomever it runs', async () => {
    const other = await testPool()
    await t.pool.apply({ servers: [misbehaving('one')] })
    await t.call('one', 'exit')
    await vi.waitFor(() => expect(t.events).toContainEqual({ slug: 'one', type: 'restarted' }), WAIT)
    await other.pool.apply({ servers: [misbehaving('one', 'good', PER_USER)] })
    await other.ask('one', 'pid', {}, as('ada'))
    await other.close()
    const folder = '/var/lib/vitrine/work/server-one'
    const [list, ...more] = [...t.tools, ...other.tools].map(({ tools }) => tools!.find(({ name }) => name === 'env'))
    expect(list).toMatchObject({ description: `Works in ${folder}, ${folder}/tmp`, at: [folder] })
    for (const again of more) expect(again).toEqual(list)
    expect([t.tools.length, other.tools.length]).toEqual([1, 1])
  })

  test('that lacks a secret fails with what the policy says about it', async () => {
    await t.pool.apply({
      servers: [
        misbehaving('one', 'good', { env: [{ name: 'KEY', missing: 'Set the secret "x" of the organization.' }] }),
      ],
    })
    expect(await t.call('one', 'echo')).toEqual({
      ok: false,
      code: 'secret_missing',
      message: 'Set the secret "x" of the organization.',
    })
  })

  test('says its secret neither in results nor on stderr nor in its tools', async () => {
    await t.pool.apply({
      servers: [misbehaving('one', 'good', { env: [{ name: 'TOKEN', sealed: sealed('the-token') }] })],
    })
    expect(t.opened).toEqual(['the-token'])
    expect(JSON.stringify(await t.call('one', 'env'))).toMatch(/TOKEN.*\[redacted:credential\]/)
    expect(await t.ask('one', 'digest', { name: 'TOKEN' })).toBe(digestOf('value of the-token'))
    await t.call('one', 'say-on-stderr', {
      text: `using value of the-token ${Buffer.from('value of the-token').toString('base64')}\n`,
    })
    await t.call('one', 'change-tools', { name: 'value of the-token' })
    await vi.waitFor(() => expect(t.tools).toHaveLength(2), WAIT)
    expect(t.pool.stderr('one').join()).not.toMatch(/value of|dmFsdWUgb2Y/)
    expect(JSON.stringify(t.tools)).not.toContain('value of')
    expect(t.opened).toEqual(['the-token'])
  })
})

describe('a policy that changes', () => {
  useNewPools()

  test('leaves alone what stays, and what only has other commands enabled', async () => {
    await t.pool.apply({ servers: [misbehaving('one'), misbehaving('two'), misbehaving('three')] })
    const [one, two] = [await t.ask<number>('one', 'pid'), await t.ask<number>('two', 'pid')]
    const running = t.call('two', 'hang')
    await t.pool.apply({
      servers: [
        misbehaving('one'),
        misbehaving('two', 'good', { commands: ['pid'] }),
        misbehaving('three', 'good', { enabled: false }),
      ],
    })
    expect(await t.ask('one', 'pid')).toBe(one)
    expect(await t.ask('two', 'pid')).toBe(two)
    expect(t.pool.states().map(({ slug }) => slug)).toEqual(['one', 'two'])
    expect(await t.call('three', 'pid')).toMatchObject({ ok: false, code: 'tool_not_found' })
    await t.call('one', 'exit')
    await t.close()
    expect(await running).toMatchObject({ ok: false, code: 'upstream_interrupted' })
  })

  test('starts anew what has another environment, and lets its calls end', async () => {
    await t.pool.apply({ servers: [misbehaving('one', 'good', { env: [{ name: 'A', value: '1' }] })] })
    const pid = await t.ask<number>('one', 'pid')
    const stop = new AbortController()
    const running = t.call('one', 'hang', {}, { signal: stop.signal })
    await t.pool.apply({ servers: [misbehaving('one', 'good', { env: [{ name: 'A', value: '2' }] })] })
    expect(await t.ask('one', 'digest', { name: 'A' })).toBe(digestOf('2'))
    expect(isAlive(pid)).toBe(true)
    stop.abort('cancelled')
    expect(await running).toMatchObject({ code: 'cancelled' })
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), WAIT)
  })
})

describe('per-user servers', () => {
  useNewPools()

  test('give each user a process of their own with their own secret', async () => {
    await t.pool.apply({ servers: [misbehaving('one', 'good', PER_USER)] })
    const [ada, bob] = await Promise.all(
      [as('ada'), as('bob')].map(async (who) => ({
        pid: await t.ask<number>('one', 'pid', {}, who),
        digest: await t.ask('one', 'digest', { name: 'TOKEN' }, who),
        env: await t.ask<Record<string, string>>('one', 'env', {}, who),
      })),
    )
    expect(ada!.pid).not.toBe(bob!.pid)
    expect([ada!.digest, bob!.digest]).toEqual([digestOf('value of ada-secret'), digestOf('value of bob-secret')])
    expect(ada!.env).toMatchObject({ TOKEN: '[redacted:credential]', PLAIN: 'plain' })
    expect(await t.ask('one', 'pid', {}, as('ada'))).toBe(ada!.pid)
    expect(t.opened.sort()).toEqual(['ada-secret', 'bob-secret'])
  })

  test('keep users apart who have the same secret', async () => {
    await t.pool.apply({ servers: [misbehaving('one', 'good', PER_USER)] })
    expect(await t.ask('one', 'pid', {}, as('ada', 'same'))).not.toBe(await t.ask('one', 'pid', {}, as('bob', 'same')))
  })

  test('start anew for a changed secret and end the process with the old one', async () => {
    await t.pool.apply({ servers: [misbehaving('one', 'good', PER_USER)] })
    const old = await t.ask<number>('one', 'pid', {}, as('ada', 'old'))
    expect(await t.ask('one', 'digest', { name: 'TOKEN' }, as('ada', 'new'))).toBe(digestOf('value of new'))
    await vi.waitFor(() => expect(isAlive(old)).toBe(false), WAIT)
  })

  test('refuse calls without a user or without the secret', async () => {
    await t.pool.apply({ servers: [misbehaving('one', 'good', PER_USER)] })
    expect(await t.call('one', 'pid')).toMatchObject({ ok: false, code: 'secret_missing' })
    expect(await t.call('one', 'pid', {}, { user: 'ada' })).toMatchObject({ ok: false, code: 'secret_missing' })
    expect(await t.call('one', 'pid', {}, { user: 'ada', userSecrets: { OTHER: sealed('x') } })).toMatchObject({
      ok: false,
      code: 'secret_missing',
    })
  })

  test('list their commands without any user, or with the first one', async () => {
    await t.pool.apply({
      servers: [misbehaving('lists', 'good', PER_USER), misbehaving('refuses', 'needs-token', PER_USER)],
    })
    expect(t.tools.map(({ slug }) => slug)).toEqual(['lists'])
    expect(t.pool.states()).toEqual([
      { slug: 'lists', state: 'ready' },
      { slug: 'refuses', state: 'ready', error: expect.stringContaining('does not start without') as string },
    ])
    expect(t.processes()).toEqual([])
    await t.ask('refuses', 'pid', {}, as('ada'))
    expect(t.tools.map(({ slug }) => slug)).toEqual(['lists', 'refuses'])
  })

  test('fail without a secret that all of them share', async () => {
    await t.pool.apply({
      servers: [misbehaving('one', 'good', { env: [...PER_USER.env, { name: 'SHARED', missing: 'Put it there.' }] })],
    })
    expect(t.pool.states()).toEqual([{ slug: 'one', state: 'failed', error: 'Put it there.', code: 'secret_missing' }])
    expect(await t.call('one', 'pid', {}, as('ada'))).toMatchObject({
      ok: false,
      code: 'secret_missing',
      message: 'Put it there.',
    })
  })

  test('make room by ending the process idle for longest; with none idle calls are refused', async () => {
    await t.pool.apply({ servers: [misbehaving('shared'), misbehaving('one', 'good', PER_USER)] })
    const ada = await t.ask<number>('one', 'pid', {}, as('ada'))
    await sleep(5)
    const bob = await t.ask<number>('one', 'pid', {}, as('bob'))
    const eve = await t.ask<number>('one', 'pid', {}, as('eve'))
    expect([ada, bob, eve].map(isAlive)).toEqual([false, true, true])
    const stop = new AbortController()
    const busy = [as('bob'), as('eve')].map((who) => t.call('one', 'hang', {}, { ...who, signal: stop.signal }))
    expect(await t.call('one', 'pid', {}, as('ada'))).toMatchObject({ ok: false, code: 'too_many_calls' })
    expect(await t.ask('shared', 'echo', {})).toEqual({})
    stop.abort('cancelled')
    await Promise.all(busy)
    expect(await t.ask('one', 'pid', {}, as('ada'))).toEqual(expect.any(Number))
    expect(t.processes()).toHaveLength(3)
  })

  test('end when idle, while shared ones stay', async () => {
    await t.close()
    t = await testPool({ idleMs: 500 })
    await t.pool.apply({ servers: [misbehaving('shared'), misbehaving('one', 'good', PER_USER)] })
    const [shared, ada] = [await t.ask<number>('shared', 'pid'), await t.ask<number>('one', 'pid', {}, as('ada'))]
    await vi.waitFor(() => expect(isAlive(ada)).toBe(false), WAIT)
    expect(isAlive(shared)).toBe(true)
  })
})

test('start and kill cycles leave no process, descriptor, folder or listener', async () => {
  const cycle = async () => {
    const one = await testPool()
    await one.pool.apply({
      servers: [misbehaving('a'), misbehaving('b', 'ignores-sigterm', { env: [{ name: 'X', value: '1' }] })],
    })
    await one.ask('a', 'spawn-daemons', { count: 2 })
    await one.call('a', 'exit')
    await one.close()
    return one.processes()
  }
  await cycle()
  const descriptors = readdirSync('/proc/self/fd').length
  const listeners = process.eventNames().map((name) => process.listenerCount(name))
  for (let n = 0; n < 4; n++) expect(await cycle()).toEqual([])
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(descriptors)
  expect(process.eventNames().map((name) => process.listenerCount(name))).toEqual(listeners)
})
