import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { elsewhere } from '../stack/stack.ts'
import { checkChain } from './chain.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import { admin, done, failed, invoke, newAgentWith, newSecret, register, usageOf, type Agent } from './world.ts'

let upstream: Upstream
/** Statuses that `flaky` answers by path, in order; the last one repeats. */
const scripts = new Map<string, number[]>()
let hold = Promise.withResolvers<void>()

beforeAll(async () => {
  upstream = await startUpstream({
    flaky({ url }, response, request) {
      const script = scripts.get(url)!
      const status = script.length > 1 ? script.shift()! : script[0]!
      if (status === 0) request.socket.resetAndDestroy()
      else response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    },
    async held(_hit, response) {
      await hold.promise
      response.end('{}')
    },
  })
})
afterAll(async () => {
  await upstream.close()
})

let paths = 0
async function flaky(script: number[], settings: object = {}): Promise<{ agent: Agent; path: string }> {
  const path = `/flaky/${paths++}`
  scripts.set(path, script)
  return { agent: await newAgentWith(`${upstream.origin}${path}`, settings), path }
}

async function outcomes(agent: Agent) {
  const { entries, open } = await checkChain(`agents/${agent.id}`)
  expect(open).toEqual([])
  return entries.filter(({ action }) => action === 'tool.invoke').map(({ meta }) => meta)
}

describe('a tool that fails in passing', () => {
  it('[retry.idempotent] is called again when its registration says that this does no harm; each try is on record, one unit is charged', async () => {
    const { agent, path } = await flaky([503, 0, 200], { idempotent: true })
    expect(await done(invoke(agent))).toMatchObject({ status: 200, ok: true })
    expect(upstream.at(path)).toHaveLength(3)
    expect(await outcomes(agent)).toMatchObject([{ status: 200, tries: 3, tried: '503 upstream_unreachable 200' }])
    expect(await usageOf(agent)).toMatchObject({ invoked: 1, credited: 0 })
  })

  it('[retry.never] is not called again otherwise', async () => {
    for (const script of [
      [503, 200],
      [0, 200],
    ]) {
      const { agent, path } = await flaky(script)
      await invoke(agent)
      expect(upstream.at(path)).toHaveLength(1)
      expect((await outcomes(agent))[0]).not.toHaveProperty('tries')
    }
  })

  it('is given up at the deadline', async () => {
    const { agent } = await flaky([503], { idempotent: true })
    expect(
      await done(
        invoke(agent, { timeoutMs: 1 }).then((answer) =>
          answer.status === 504 ? { status: 200, body: { result: { status: 503 } }, headers: answer.headers } : answer,
        ),
      ),
    ).toMatchObject({ status: 503 })
  })
})

describe('a circuit', () => {
  const state = async (agent: Agent) =>
    (
      await done<{ tools: { breaker: { state: string; until?: string } }[] }>(
        admin('listTools', { agentId: agent.id }, agent.owner),
      )
    ).tools[0]!.breaker

  it('[breaker.open] opens when calls keep failing: then they end at once, cost nothing and are on record as denied', async () => {
    const { agent, path } = await flaky([500])
    expect(await state(agent)).toEqual({ state: 'closed' })
    for (let n = 0; n < 10; n++) expect(await done(invoke(agent))).toMatchObject({ status: 500 })
    const { details } = await failed(invoke(agent), 'circuit_open')
    expect(details).toMatchObject({ retryable: true, retryAt: expect.any(String) as unknown })
    expect((await invoke(agent)).headers.get('retry-after')).toMatch(/^\d+$/)
    // Another process knows that it is open.
    await failed(invoke(agent, {}, { baseUrl: elsewhere() }), 'circuit_open')
    expect(upstream.at(path)).toHaveLength(10)
    expect(await usageOf(agent)).toMatchObject({ invoked: 10, credited: 0 })
    expect(await state(agent)).toEqual({ state: 'open', until: details['retryAt'] })
    expect((await outcomes(agent)).at(-1)).toMatchObject({ breaker: 'opened' })
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.filter(({ action }) => action === 'tool.deny')).toMatchObject(
      Array.from({ length: 3 }, () => ({ meta: { reason: 'circuit_open', code: 'circuit_open' } })),
    )
  })

  it('[breaker.probe] lets one call try when its time is up, and closes when that goes well', async () => {
    const { agent, path } = await flaky([...Array.from({ length: 10 }, () => 502), 200])
    for (let n = 0; n < 10; n++) await done(invoke(agent))
    await failed(invoke(agent), 'circuit_open')
    await expect.poll(() => state(agent)).toMatchObject({ state: 'half_open' })
    expect(await done(invoke(agent))).toMatchObject({ status: 200 })
    expect(await state(agent)).toEqual({ state: 'closed' })
    expect((await outcomes(agent)).at(-1)).toMatchObject({ breaker: 'closed' })
    expect(upstream.at(path)).toHaveLength(11)
  }, 40_000)

  it('is another one for a changed registration, and not opened by what callers do wrong', async () => {
    const { agent } = await flaky([500])
    for (let n = 0; n < 10; n++) await done(invoke(agent))
    await failed(invoke(agent), 'circuit_open')
    await register(agent, { url: `${upstream.origin}/ok/mended` })
    expect(await done(invoke(agent))).toMatchObject({ status: 200 })
    expect(await state(agent)).toEqual({ state: 'closed' })

    const { agent: careless } = await flaky([404])
    for (let n = 0; n < 15; n++) expect(await done(invoke(careless))).toMatchObject({ status: 404 })
  })

  it('stays closed for other tools', async () => {
    const { agent } = await flaky([500])
    await register(agent, { name: 'well', url: `${upstream.origin}/ok/well` })
    for (let n = 0; n < 10; n++) await done(invoke(agent))
    await failed(invoke(agent), 'circuit_open')
    expect(await done(invoke(agent, { name: 'well' }))).toMatchObject({ status: 200 })
  })
})

describe('calls under way', () => {
  it('[limits.concurrency] are no more than the registration allows; what is over is refused before it costs anything', async () => {
    hold = Promise.withResolvers<void>()
    const agent = await newAgentWith(`${upstream.origin}/held/${paths++}`, { concurrencyMax: 3 })
    const held = [1, 2, 3].map(() => invoke(agent))
    await expect.poll(async () => (await checkChain(`agents/${agent.id}`)).open.length).toBe(3)
    const { details } = await failed(invoke(agent), 'too_many_calls')
    expect(details).toMatchObject({ retryable: true })
    hold.resolve()
    await Promise.all(held.map((answer) => done(answer)))
    expect(await done(invoke(agent))).toMatchObject({ ok: true })
    expect(await usageOf(agent)).toMatchObject({ invoked: 4, credited: 0 })
  })
})

describe('openings', () => {
  it('[redact.rules] keep nothing of what the registration points to, nor of well-known secrets', async () => {
    const agent = await newAgentWith(`${upstream.origin}/echo/redact`, {
      redact: ['/customer/email', '/items/*/note'],
      authToken: newSecret(),
    })
    const args = {
      customer: { email: 'ada@example.org', name: 'Ada' },
      items: [
        { note: 'very private', sku: 'A-1' },
        { note: 'also private', sku: 'A-2' },
      ],
      text: 'use ghp_16C7e42F292c6912E7710c838347Ae178B4a please, or AKIAIOSFODNN7EXAMPLE',
    }
    const { receipt } = await done<{ receipt: { seq: number } }>(invoke(agent, { args }))
    const { entries } = await checkChain(`agents/${agent.id}`)
    const intent = entries.findLast(({ action, seq }) => action === 'tool.invoke.intent' && seq < receipt.seq)!
    const opening = JSON.stringify(await done(admin('getOpening', { agentId: agent.id, seq: intent.seq }, agent.owner)))
    expect(opening).toMatch(/Ada.*A-1.*A-2.*use \[redacted\] please/)
    expect(opening).not.toMatch(/ada@example|very private|also private|ghp_|AKIA/)
    // The tool itself gets the arguments unredacted.
    expect(JSON.parse(upstream.at('/echo/redact')[0]!.body)).toEqual(args)
  })

  it.each([
    ['no slash', 'customer'],
    ['a bad escape', '/a~2'],
    ['no end', '/a'.repeat(400)],
  ])('refuse a rule with %s', async (_, rule) => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    const answer = await register(agent, { name: 'ruled', url: `${upstream.origin}/ok`, redact: [rule] }).then(
      () => 'taken',
      () => 'refused',
    )
    expect(answer).toBe('refused')
  })
})
