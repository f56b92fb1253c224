import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { canonical, checkChain, hashOf, type Entry } from './chain.ts'
import { deadUrl, startUpstream, type Upstream } from './upstream.ts'
import {
  admin,
  call,
  db,
  done,
  failed,
  invoke,
  leaks,
  newAgent,
  newAgentWith,
  newSecret,
  register,
  usageOf,
  type Agent,
} from './world.ts'

let upstream: Upstream
/** Actions on the chain of the agent named in the path, at the time the upstream was called. */
const seenAtCall: string[][] = []

beforeAll(async () => {
  upstream = await startUpstream({
    async looks({ url }, response) {
      const segments = await db()
        .collection(`agents/${url.split('/')[2]}/audit`)
        .orderBy('first')
        .get()
      seenAtCall.push(
        segments.docs.flatMap((doc) =>
          (doc.data()['entries'] as string[]).map((line) => (JSON.parse(line) as Entry).action),
        ),
      )
      response.writeHead(200).end()
    },
    limited({ headers }, response) {
      response
        .writeHead(429, {
          'retry-after': '17',
          'x-ratelimit-remaining': '0',
          link: `</next?as=${headers.authorization}>`,
          'set-cookie': 'a=b',
        })
        .end()
    },
    moved({ url, headers }, response) {
      const [, , status] = url.split('/')
      response.writeHead(Number(status), { location: `/ok/?as=${headers.authorization}` }).end('moved')
    },
  })
})
afterAll(() => upstream.close())
afterEach(() => expect(leaks()).toEqual([]))

async function outcomeOn(agent: Agent): Promise<Entry['meta']> {
  const { entries, open } = await checkChain(`agents/${agent.id}`)
  expect(open).toEqual([])
  return entries.findLast(({ action }) => action === 'tool.invoke')!.meta
}

describe('invokeTool', () => {
  it('[invoke.json] passes arguments and answers on as they are', async () => {
    const agent = await newAgentWith(`${upstream.origin}/echo/json`)
    const args = {
      text: 'é\u2028"\\',
      n: -0.5,
      big: 1e21,
      list: [[], {}, [null]],
      '': true,
      toString: 'x',
      deep: { a: { b: [1] } },
    }
    const { status, ok, result } = await done(invoke(agent, { args }))
    expect([status, ok]).toEqual([200, true])
    expect(JSON.parse((result as { body: string }).body)).toEqual(args)
    expect(upstream.at('/echo/json')[0]).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(args),
    })
  })

  it('[invoke.answers] hands on every type of content', async () => {
    const agent = await newAgent()
    const expected = {
      ok: { found: 1 },
      text: 'café',
      bytes: { base64: 'iVAA/w==', contentType: 'image/png' },
      empty: null,
    }
    for (const [name, result] of Object.entries(expected)) {
      await register(agent, { name, url: `${upstream.origin}/${name}` })
      expect(await done(invoke(agent, { name }))).toMatchObject({
        ok: true,
        result,
        status: name === 'empty' ? 204 : 200,
      })
    }
  })

  it('[invoke.in-band] hands on what the tool says of its own failure, charged and on record', async () => {
    const agent = await newAgentWith(`${upstream.origin}/fails`, { authToken: newSecret() })
    const { status, ok, result } = await done(invoke(agent))
    expect([status, ok]).toEqual([503, false])
    expect(JSON.stringify(result)).toContain('I was sent Bearer ')
    expect(await outcomeOn(agent)).toMatchObject({ status: 503, ok: false, error: '', credited: false })
    expect(await usageOf(agent)).toMatchObject({ invoked: 1, credited: 0 })
  })

  it('hands on by which headers one goes on, without the credential in them', async () => {
    const agent = await newAgentWith(`${upstream.origin}/limited`, { authToken: newSecret() })
    expect(await done(invoke(agent))).toMatchObject({
      status: 429,
      ok: false,
      result: null,
      headers: {
        'retry-after': '17',
        'x-ratelimit-remaining': '0',
        link: '</next?as=Bearer [redacted:credential]>',
      },
    })
    expect(await outcomeOn(agent)).toMatchObject({ status: 429, redactions: 1 })
  })

  it.each([301, 302, 303])('[invoke.redirect] makes no GET of a POST that is answered by %i', async (status) => {
    const agent = await newAgentWith(`${upstream.origin}/moved/${status}`, { authToken: newSecret() })
    const before = upstream.at('/ok/').length
    const { details } = await failed(invoke(agent, { args: { name: 'new' } }), 'upstream_redirect')
    expect(details).toMatchObject({ status, location: '/ok/?as=Bearer [redacted:credential]', receipt: { seq: 3 } })
    expect(upstream.at('/ok/')).toHaveLength(before)
    expect(await outcomeOn(agent)).toMatchObject({ status, ok: false, error: 'upstream_redirect', credited: false })
  })

  it('[invoke.intent-first] [invoke.outcome-first] records the intent before the call and the outcome before the reply', async () => {
    const agent = await newAgent()
    await register(agent, { url: `${upstream.origin}/looks/${agent.id}` })
    const { receipt } = await done<{ receipt: { log: string; seq: number; hash: string } }>(invoke(agent))
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(seenAtCall).toEqual([['key.create', 'tool.register', 'tool.invoke.intent']])
    expect(receipt).toEqual({ log: `agents/${agent.id}`, seq: 3, hash: hashOf(entries[3]!) })
    expect(entries[3]).toMatchObject({
      action: 'tool.invoke',
      target: 'tool',
      actor: `agent:${agent.id}`,
      call: entries[2]!.call,
    })
  })

  it('[invoke.commitment] keeps arguments out of the chain and sensitive values out of their openings', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    const args = { query: 'private thing', password: 'hunter2', nested: [{ 'Api-Key': 'k-123' }] }
    await done(invoke(agent, { args }))
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(JSON.stringify(entries)).not.toMatch(/private thing|hunter2|k-123/)
    const openings = (await db().collection(`agents/${agent.id}/openings`).get()).docs.map((doc) =>
      JSON.stringify(doc.data()),
    )
    expect(openings).toHaveLength(1)
    expect(openings[0]).toContain('private thing')
    expect(openings[0]).not.toMatch(/hunter2|k-123/)
  })

  it('[invoke.indistinguishable] answers byte for byte the same for a tool that is not there, disabled, or not allowed', async () => {
    const agent = await newAgent(undefined, { allowedTools: ['tool', 'none', 'http'] })
    await register(agent, { url: upstream.origin, enabled: false })
    await register(agent, { name: 'hidden', url: upstream.origin, authToken: newSecret() })
    const answers = await Promise.all(
      ['tool', 'hidden', 'none', 'none__command'].map((name) => invoke(agent, { name })),
    )
    const seen = answers.map(({ status, body, headers }) =>
      canonical({ status, body, headers: [...headers].filter(([name]) => !['date', 'etag'].includes(name)) }),
    )
    expect(new Set(seen).size).toBe(1)
    expect(answers[0]!.status).toBe(404)
    expect(await usageOf(agent)).toMatchObject({ invoked: 0 })
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(
      entries
        .filter(({ action }) => action === 'tool.deny')
        .map(({ meta }) => meta['reason'])
        .sort(),
    ).toEqual(['not_allowed', 'not_registered', 'not_registered', 'tool_disabled'])
  })
})

describe('no answer from the tool', () => {
  it.each([
    ['refused', 'upstream_unreachable', 0],
    ['resets', 'upstream_unreachable', 0],
    ['garbles', 'upstream_invalid', 0],
    ['hangs', 'upstream_timeout', 0],
    ['breaks', 'upstream_interrupted', 200],
    ['big', 'upstream_too_large', 200],
  ] as const)('[quota.credit] %s is %s', async (how, code, status) => {
    const agent = await newAgentWith(how === 'refused' ? await deadUrl() : `${upstream.origin}/${how}`, {
      authToken: newSecret(),
    })
    const { details } = await failed(invoke(agent, how === 'hangs' ? { timeoutMs: 300 } : {}), code)
    const credited = status === 0
    const meta = await outcomeOn(agent)
    expect(meta).toMatchObject({ status, ok: false, error: code, credited })
    expect(details['receipt']).toMatchObject({ log: `agents/${agent.id}`, seq: 3 })
    expect(await usageOf(agent)).toMatchObject({ invoked: 1, credited: credited ? 1 : 0 })
  })

  it('[invoke.timeout] clamps a longer deadline to 60 s and takes 15 s without one, on record in the intent', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    for (const timeoutMs of [undefined, 59_999, 60_001, 2 ** 40]) await done(invoke(agent, { timeoutMs }))
    const { entries } = await checkChain(`agents/${agent.id}`)
    const intents = entries.filter(({ action }) => action === 'tool.invoke.intent')
    expect(intents.map(({ meta }) => meta['timeoutMs'])).toEqual([15_000, 59_999, 60_000, 60_000])
  })

  it('[invoke.cancelled] records a caller who hangs up; the upstream sees it too, and the unit stays charged', async () => {
    const called = Promise.withResolvers<void>()
    const gone = Promise.withResolvers<void>()
    const slow = await startUpstream({
      slow: (_hit, _response, request) => {
        request.socket.once('close', () => gone.resolve())
        called.resolve()
      },
    })
    const agent = await newAgentWith(`${slow.origin}/slow`)
    const caller = new AbortController()
    const answer = invoke(agent, {}, { signal: caller.signal }).catch((error: Error) => error.name)
    await called.promise
    caller.abort()
    expect(await answer).toBe('AbortError')
    await gone.promise
    await expect.poll(async () => (await checkChain(`agents/${agent.id}`)).open).toEqual([])
    expect(await outcomeOn(agent)).toMatchObject({ status: 0, ok: false, error: 'cancelled', credited: false })
    expect(await usageOf(agent)).toMatchObject({ invoked: 1, credited: 0 })
    await slow.close()
  })
})

describe('the record', () => {
  it('[audit.list] is read page by page, newest first, and narrowed down', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    for (let i = 0; i < 3; i++) await done(invoke(agent))
    await failed(invoke(agent, { name: 'none' }), 'tool_not_found')
    const { entries } = await checkChain(`agents/${agent.id}`)
    const list = (data: object) =>
      done<{ entries: Entry[]; nextPageToken: string | null }>(
        admin('listAudit', { agentId: agent.id, ...data }, agent.owner),
      )
    const read: Entry[] = []
    for (let pageToken: string | null | undefined; pageToken !== null;) {
      const page = await list({ pageSize: 2, ...(pageToken !== undefined && { pageToken }) })
      read.push(...page.entries)
      pageToken = page.nextPageToken
    }
    expect(read.reverse()).toEqual(entries)
    expect((await list({ action: 'tool.invoke', outcome: 'ok' })).entries).toHaveLength(3)
    expect((await list({ tool: 'none' })).entries).toMatchObject([{ action: 'tool.deny' }])
    expect((await list({ to: '2000-01-01T00:00:00Z' })).entries).toEqual([])
    await failed(
      call('admin/listAudit', { agentId: agent.id, pageToken: 'x' }, { bearer: agent.owner.bearer }),
      'invalid_argument',
    )
  })
})
