import { randomUUID } from 'node:crypto'
import { initializeApp } from 'firebase/app'
import { getFunctions, httpsCallableFromURL } from 'firebase/functions'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Vitrine, type StreamPart } from '../../sdk/src/index.ts'
import { stack } from '../stack/stack.ts'
import { checkChain } from './chain.ts'
import { all, streamed, type Line } from './event-stream.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import { leaks, newAgent, newAgentWith, newSecret, register, usageOf, type Agent } from './world.ts'

let upstream: Upstream
/** Lets the test control an answer under way: when it resolves, the upstream writes its next part. */
let next = Promise.withResolvers<void>()
const closed: string[] = []

beforeAll(async () => {
  upstream = await startUpstream({
    async parts(_hit, response) {
      response.writeHead(200, { 'content-type': 'text/plain' }).write('first ')
      await next.promise
      response.end('second')
    },
    async events(_hit, response) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: tick\nid: 1\ndata: {"n":1}\n\n')
      await next.promise
      response.end(': comment\n\ndata: a\ndata: b\n\n')
    },
    bytes2(_hit, response) {
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(Buffer.from([0, 255, 1]))
    },
    /** Repeats the credential, a few bytes at a time. */
    async leaky(hit, response) {
      response.writeHead(200, { 'content-type': 'text/plain' })
      for (const part of `I got ${hit.headers.authorization}, thanks.`.match(/.{1,3}/gs)!) {
        response.write(part)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      response.end()
    },
    cut(_hit, response, request) {
      response.writeHead(200, { 'content-type': 'text/plain' }).write('half')
      setTimeout(() => request.socket.destroy(), 30)
    },
    endless(hit, response, request) {
      response.writeHead(200, { 'content-type': 'text/plain' })
      const timer = setInterval(() => response.write('x'), 5)
      request.socket.once('close', () => {
        clearInterval(timer)
        closed.push(hit.url)
      })
    },
  })
})
afterAll(() => upstream.close())
afterEach(() => {
  next = Promise.withResolvers<void>()
  expect(leaks()).toEqual([])
})

async function outcomeOf(agent: Agent) {
  const { entries, open } = await checkChain(`agents/${agent.id}`)
  expect(open).toEqual([])
  return entries.findLast(({ action }) => action === 'tool.invoke')!
}

describe('an answer as it comes', () => {
  it('[stream.live] is passed on before its end, and the outcome is on record before the last event', async () => {
    const agent = await newAgentWith(`${upstream.origin}/parts`)
    const lines = streamed(agent)
    expect((await lines.next()).value).toEqual({ message: { type: 'text', text: 'first ' } })
    // The upstream has sent no more yet, and the call is open.
    expect((await checkChain(`agents/${agent.id}`)).open).toHaveLength(1)
    next.resolve()
    expect((await lines.next()).value).toEqual({ message: { type: 'text', text: 'second' } })
    const last = (await lines.next()).value as Line & { result: { receipt: { seq: number } } }
    const outcome = await outcomeOf(agent)
    expect(last).toMatchObject({ result: { status: 200, ok: true, result: null, receipt: { seq: outcome.seq } } })
    expect(outcome.meta).toMatchObject({ status: 200, ok: true, error: '' })
    expect((await lines.next()).done).toBe(true)
  })

  it('[stream.events] passes server-sent events one by one', async () => {
    const agent = await newAgentWith(`${upstream.origin}/events`)
    const lines = streamed(agent)
    expect((await lines.next()).value).toEqual({ message: { type: 'event', event: 'tick', id: '1', data: '{"n":1}' } })
    next.resolve()
    expect(await all(lines)).toMatchObject([
      { message: { type: 'event', data: 'a\nb' } },
      { result: { status: 200, result: null } },
    ])
  })

  it('passes bytes as base64, and gives JSON whole at the end too', async () => {
    const agent = await newAgentWith(`${upstream.origin}/bytes2`)
    await register(agent, { name: 'json', url: `${upstream.origin}/ok` })
    expect(await all(streamed(agent))).toMatchObject([
      { message: { type: 'binary', base64: 'AP8B' } },
      { result: { result: null } },
    ])
    const [piece, last] = await all(streamed(agent, { name: 'json' }))
    expect(piece).toEqual({ message: { type: 'text', text: '{"found":1}' } })
    expect(last).toMatchObject({ result: { status: 200, ok: true, result: { found: 1 } } })
  })

  it('[stream.scrubbed] holds the credential back however it is cut up, and counts it', async () => {
    const secret = newSecret()
    const agent = await newAgentWith(`${upstream.origin}/leaky`, { authToken: secret })
    const lines = await all(streamed(agent))
    const text = lines.map((line) => ('message' in line ? line.message['text'] : '')).join('')
    expect(text).toBe('I got Bearer [redacted:credential], thanks.')
    expect(leaks([JSON.stringify(lines)])).toEqual([])
    expect((await outcomeOf(agent)).meta).toMatchObject({ redactions: 1 })
  })
})

describe('an answer that does not end well', () => {
  it('ends in an error event when the upstream breaks off', async () => {
    const agent = await newAgentWith(`${upstream.origin}/cut`)
    const lines = await all(streamed(agent))
    expect(lines).toMatchObject([
      { message: { text: 'half' } },
      { error: { status: 'UNAVAILABLE', details: { code: 'upstream_interrupted', status: 200, receipt: {} } } },
    ])
    expect((await outcomeOf(agent)).meta).toMatchObject({
      status: 200,
      ok: false,
      error: 'upstream_interrupted',
      credited: false,
    })
  })

  it('ends at the deadline, and at the bound of bytes', async () => {
    const agent = await newAgentWith(`${upstream.origin}/endless/late`)
    expect((await all(streamed(agent, { timeoutMs: 300 }))).at(-1)).toMatchObject({
      error: { details: { code: 'upstream_timeout' } },
    })
    await register(agent, { name: 'small', url: `${upstream.origin}/endless/small`, responseBytesMax: 20 })
    const lines = await all(streamed(agent, { name: 'small' }))
    expect(lines.at(-1)).toMatchObject({ error: { details: { code: 'upstream_too_large' } } })
    expect(lines.map((line) => ('message' in line ? line.message['text'] : '')).join('').length).toBeLessThanOrEqual(20)
    await expect.poll(() => closed).toEqual(expect.arrayContaining(['/endless/late', '/endless/small']))
  })

  it('[stream.cancelled] ends at the upstream when the caller goes away, on record and charged', async () => {
    const agent = await newAgentWith(`${upstream.origin}/endless/left`)
    const caller = new AbortController()
    const lines = streamed(agent, {}, { signal: caller.signal })
    await lines.next()
    caller.abort()
    await expect(lines.next()).rejects.toThrow()
    await expect.poll(() => closed).toContain('/endless/left')
    await expect.poll(async () => (await checkChain(`agents/${agent.id}`)).open).toEqual([])
    expect((await outcomeOf(agent)).meta).toMatchObject({ error: 'cancelled', credited: false })
    expect(await usageOf(agent)).toMatchObject({ invoked: 1, credited: 0 })
  })

  it('is an error with its HTTP status when nothing has come', async () => {
    const agent = await newAgent()
    const response = await fetch(`${stack().baseUrl}/invokeTool`, {
      method: 'POST',
      headers: { authorization: `Bearer ${agent.key}`, accept: 'text/event-stream' },
      body: JSON.stringify({ data: { name: 'none' } }),
    })
    expect(response.status).toBe(404)
    expect(await response.text()).toMatch(
      /^data: \{"error":\{"status":"NOT_FOUND",.*"code":"tool_not_found".*\}\}\n\n$/,
    )
  })
})

describe('clients', () => {
  it('[stream.sdk] the SDK gives pieces and the result in one loop', async () => {
    const agent = await newAgentWith(`${upstream.origin}/parts`)
    const { tools } = new Vitrine({ baseUrl: stack().baseUrl, key: agent.key })
    const parts: StreamPart[] = []
    for await (const part of tools.stream({ name: 'tool' })) {
      parts.push(part)
      next.resolve()
    }
    expect(parts).toMatchObject([
      { type: 'text', text: 'first ' },
      { type: 'text', text: 'second' },
      { type: 'result', status: 200, ok: true, receipt: {} },
    ])
    await expect(tools.stream({ name: 'none' }).next()).rejects.toMatchObject({ code: 'tool_not_found', status: 404 })
    await register(agent, { name: 'cut', url: `${upstream.origin}/cut` })
    const cut = tools.stream({ name: 'cut' })
    expect((await cut.next()).value).toMatchObject({ text: 'half' })
    await expect(cut.next()).rejects.toMatchObject({ code: 'upstream_interrupted' })
  })

  it('[stream.sdk] leaving the loop ends the call at the upstream', async () => {
    const agent = await newAgentWith(`${upstream.origin}/endless/break`)
    for await (const part of new Vitrine({ baseUrl: stack().baseUrl, key: agent.key }).tools.stream({ name: 'tool' })) {
      expect(part).toMatchObject({ type: 'text' })
      break
    }
    await expect.poll(() => closed).toContain('/endless/break')
  })

  it("[stream.live] Firebase's own client reads the protocol", async () => {
    const functions = getFunctions(initializeApp({ projectId: stack().project, apiKey: 'x' }, randomUUID()))
    // Firebase's client cannot send an agent's key, so it reads the refusal.
    const { data, stream } = await httpsCallableFromURL(functions, `${stack().baseUrl}/invokeTool`).stream({
      name: 'tool',
    })
    await expect(data).rejects.toMatchObject({
      code: 'functions/unauthenticated',
      details: { code: 'unauthenticated' },
    })
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'functions/unauthenticated' })
  })
})
