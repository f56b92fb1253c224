import { describe, expect, test } from 'vitest'
import { legacyServer, modernServer, type ToolServer } from './servers.ts'
import { call, said, up, value } from './harness.ts'

const servers = [
  { name: '2026-07-28, JSON', start: (port = 0): Promise<ToolServer> => modernServer({ port }) },
  {
    name: '2026-07-28, event streams',
    start: (port = 0): Promise<ToolServer> => modernServer({ port, responseMode: 'sse' }),
  },
  { name: '2025, JSON', start: (port = 0): Promise<ToolServer> => legacyServer({ port, json: true }) },
  { name: '2025, event streams', start: (port = 0): Promise<ToolServer> => legacyServer({ port }) },
]

describe.each(servers)('a server of $name', ({ start }) => {
  test('gets the arguments and its answer comes back', async () => {
    const server = await up(start())
    const outcome = await call(server.url, 'add', { a: 2, b: 40 })
    expect(outcome).toMatchObject({ answered: true, status: 200, ok: true })
    expect(said(outcome)).toBe('42')
  })

  test('an error of the tool is an answer that is not ok', async () => {
    const server = await up(start())
    const outcome = await call(server.url, 'fail')
    expect(outcome).toMatchObject({ answered: true, status: 200, ok: false })
    expect(value(outcome)).toMatchObject({ isError: true, content: [{ type: 'text', text: 'It went wrong.' }] })
  })

  test('an unknown tool is an answer that is not ok', async () => {
    const server = await up(start())
    expect(await call(server.url, 'nothing')).toMatchObject({ answered: true, ok: false })
  })

  test('is connected to once for many calls, each with its own credential', async () => {
    const server = await up(start())
    await call(server.url, 'whoami', {}, { credential: 'first' })
    const before = server.seen.length
    const names = Array.from({ length: 50 }, (_, i) => `secret-${i}`)
    const outcomes = await Promise.all(names.map((credential) => call(server.url, 'whoami', {}, { credential })))
    expect(outcomes.map(said)).toEqual(names.map((name) => `Bearer ${name}`))
    expect(server.seen.slice(before).map(({ rpc }) => rpc)).toEqual(names.map(() => 'tools/call'))
    expect(new Set(server.seen.slice(before).map(({ headers }) => headers['mcp-session-id'])).size).toBe(1)
  })

  test('first calls that come at the same time share one connection', async () => {
    const server = await up(start())
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => call(server.url, 'whoami', {}, { credential: 'shared' })),
    )
    expect(new Set(outcomes.map(said))).toEqual(new Set(['Bearer shared']))
    expect(server.seen.filter(({ rpc }) => rpc === 'server/discover')).toHaveLength(1)
    expect(server.seen.filter(({ rpc }) => rpc === 'initialize').length).toBeLessThanOrEqual(1)
    expect(server.seen.every(({ headers }) => headers.authorization === 'Bearer shared')).toBe(true)
  })

  test('no stream is opened for what the server may say unasked', async () => {
    const server = await up(start())
    await call(server.url, 'add', { a: 1, b: 1 })
    expect(server.seen.map(({ method }) => method)).not.toContain('GET')
  })

  test('learns that the caller went away', async () => {
    const server = await up(start())
    const caller = new AbortController()
    const outcome = call(server.url, 'slow', {}, { signal: caller.signal })
    await server.started
    caller.abort('cancelled')
    expect(await outcome).toEqual({ answered: false, status: expect.any(Number), code: 'cancelled', sent: true })
    await server.aborted
  })

  test('one that takes too long costs its own call only', async () => {
    const server = await up(start())
    const deadline = new AbortController()
    const slow = call(server.url, 'slow', {}, { signal: deadline.signal })
    await server.started
    expect(said(await call(server.url, 'add', { a: 1, b: 2 }))).toBe('3')
    deadline.abort('upstream_timeout')
    expect(await slow).toMatchObject({ answered: false, code: 'upstream_timeout' })
    expect(said(await call(server.url, 'add', { a: 3, b: 4 }))).toBe('7')
  })

  test('a server that was restarted is connected to again', async () => {
    const server = await start()
    await call(server.url, 'add', { a: 1, b: 1 })
    await server.close()
    expect(await call(server.url, 'add', { a: 1, b: 1 })).toEqual({
      answered: false,
      status: 0,
      code: 'upstream_unreachable',
      sent: expect.any(Boolean),
    })
    const restarted = await up(start(server.port))
    const outcomes = await Promise.all(Array.from({ length: 10 }, (_, i) => call(server.url, 'add', { a: i, b: 0 })))
    expect(outcomes.map(said)).toEqual(Array.from({ length: 10 }, (_, i) => String(i)))
    expect(restarted.seen.filter(({ rpc }) => rpc === 'initialize').length).toBeLessThanOrEqual(1)
  })
})
