import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startVictim, type Victim } from '../faults/victim.ts'
import { elsewhere } from '../stack/stack.ts'
import { canonical, checkChain } from './chain.ts'
import { deadUrl, startUpstream, type Upstream } from './upstream.ts'
import { admin, call, db, done, failed, invoke, newAgentWith, register, usageOf, type Agent } from './world.ts'

let upstream: Upstream
let victim: Victim
/** A test resolves it to let the slow tool answer. */
let go = Promise.withResolvers<void>()

beforeAll(async () => {
  upstream = await startUpstream({
    async slow(_hit, response) {
      await go.promise
      response.writeHead(201, { 'content-type': 'application/json' }).end('{"b":2,"a":[1,"é"]}')
    },
  })
  victim = await startVictim({ VITRINE_RECONCILE_AFTER_MS: '1000' })
})
afterAll(async () => {
  await victim.stop()
  await upstream.close()
})

interface Invoked {
  status: number
  ok: boolean
  result: unknown
  resultDigest: string
  replayed?: boolean
  receipt: { log: string; seq: number; hash: string }
}

const counted = (agent: Agent) => usageOf(agent).then(({ invoked, credited }) => invoked - credited)
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

describe('an idempotency key', () => {
  it('[idempotency.once] calls the tool once and gives everybody else its status, digest and receipt', async () => {
    go = Promise.withResolvers<void>()
    const agent = await newAgentWith(`${upstream.origin}/slow/once`)
    const answers = Array.from({ length: 12 }, (_, n) =>
      done<Invoked>(invoke(agent, { idempotencyKey: 'order/1 ✓' }, n % 2 ? { baseUrl: elsewhere() } : {})),
    )
    await expect.poll(() => upstream.at('/slow/once').length).toBe(1)
    go.resolve()
    const all = await Promise.all(answers)
    const first = all.filter(({ replayed }) => !replayed)
    expect(first).toMatchObject([
      {
        status: 201,
        ok: true,
        result: { a: [1, 'é'], b: 2 },
        resultDigest: `sha256:${sha256(canonical({ b: 2, a: [1, 'é'] }))}`,
      },
    ])
    for (const { replayed: _, ...other } of all) {
      expect(other).toEqual(other.result === null ? { ...first[0], result: null } : first[0])
    }
    expect(upstream.at('/slow/once')).toHaveLength(1)
    expect(await counted(agent)).toBe(1)
    const { entries } = await checkChain(`agents/${agent.id}`)
    expect(entries.filter(({ action }) => action.startsWith('tool.invoke'))).toHaveLength(2)
    expect(first[0]!.receipt).toMatchObject({
      seq: entries.at(-1)!.seq,
      hash: entries.at(-1) && (expect.any(String) as unknown),
    })
  })

  it('[idempotency.forwarded] is sent to the tool', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/header`)
    await done(invoke(agent, { idempotencyKey: 'plain key-1' }))
    await done(invoke(agent, { idempotencyKey: 'schlüssel\n' }))
    expect(upstream.at('/ok/header').map(({ headers }) => headers['idempotency-key'])).toEqual([
      'plain key-1',
      'schl%C3%BCssel%0A',
    ])
  })

  it('[idempotency.scope] is one of an agent and a tool', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/scope`)
    await register(agent, { name: 'other', url: `${upstream.origin}/ok/scope` })
    const idempotencyKey = randomUUID()
    await done(invoke(agent, { idempotencyKey }))
    await done(invoke(agent, { name: 'other', idempotencyKey }))
    await done(invoke(await newAgentWith(`${upstream.origin}/ok/scope`), { idempotencyKey }))
    expect(upstream.at('/ok/scope')).toHaveLength(3)
  })

  it('with other arguments is a mistake', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/args`)
    await done(invoke(agent, { args: { a: 1, b: 2 }, idempotencyKey: 'k' }))
    expect(await done(invoke(agent, { args: { b: 2, a: 1 }, idempotencyKey: 'k' }))).toMatchObject({ replayed: true })
    const { details } = await failed(
      invoke(agent, { args: { a: 2, b: 2 }, idempotencyKey: 'k' }),
      'idempotency_key_reused',
    )
    expect(details['field']).toBe('idempotencyKey')
    expect(upstream.at('/ok/args')).toHaveLength(1)
  })

  it('gives a failure again, too, and the same receipt', async () => {
    const agent = await newAgentWith(`${upstream.origin}/breaks`)
    const first = await failed(invoke(agent, { idempotencyKey: 'k' }), 'upstream_interrupted')
    const second = await failed(invoke(agent, { idempotencyKey: 'k' }), 'upstream_interrupted')
    expect(second.details).toEqual({ ...first.details, replayed: true })
    expect(await counted(agent)).toBe(1)
  })

  it('[idempotency.released] is free again when the request never left', async () => {
    const agent = await newAgentWith(await deadUrl())
    await failed(invoke(agent, { idempotencyKey: 'k' }), 'upstream_unreachable')
    await register(agent, { url: `${upstream.origin}/ok/late` })
    expect(await done(invoke(agent, { idempotencyKey: 'k' }))).not.toHaveProperty('replayed')
    expect(upstream.at('/ok/late')).toHaveLength(1)
  })

  it('is waited for no longer than the caller would wait for the tool', async () => {
    go = Promise.withResolvers<void>()
    const agent = await newAgentWith(`${upstream.origin}/slow/wait`)
    const first = done<Invoked>(invoke(agent, { idempotencyKey: 'k' }))
    await expect.poll(() => upstream.at('/slow/wait').length).toBe(1)
    const { details } = await failed(invoke(agent, { idempotencyKey: 'k', timeoutMs: 200 }), 'call_running')
    expect(details).toMatchObject({ retryable: true, receipt: { log: `agents/${agent.id}` } })
    go.resolve()
    const { receipt } = await first
    expect(await done(invoke(agent, { idempotencyKey: 'k' }))).toMatchObject({ status: 201, replayed: true, receipt })
  })

  it('holds for 24 hours', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/day`)
    await done(invoke(agent, { idempotencyKey: 'k' }))
    const [kept] = (await db().collection(`agents/${agent.id}/idempotency`).get()).docs
    expect(JSON.stringify(kept!.data())).not.toContain('found')
    await kept!.ref.update({ at: new Date(Date.now() - 24.1 * 3_600_000).toISOString() })
    expect(await done(invoke(agent, { idempotencyKey: 'k' }))).toMatchObject({ result: { found: 1 } })
    expect(await done(invoke(agent, { idempotencyKey: 'k' }))).toMatchObject({ replayed: true })
    expect(upstream.at('/ok/day')).toHaveLength(2)
  })

  it('[idempotency.crash] says that nobody knows what became of a call whose process died', async () => {
    go = Promise.withResolvers<void>()
    const agent = await newAgentWith(`${upstream.origin}/slow/crash`)
    const first = invoke(agent, { idempotencyKey: 'k' }, { baseUrl: victim.baseUrl() }).catch(
      (error: Error) => error.name,
    )
    await expect.poll(() => upstream.at('/slow/crash').length).toBe(1)
    await victim.kill()
    expect(await first).toBe('TypeError')
    await victim.restart()
    await expect
      .poll(
        async () => (await invoke(agent, { idempotencyKey: 'k', timeoutMs: 100 }, { baseUrl: victim.baseUrl() })).body,
      )
      .toMatchObject({
        error: {
          details: {
            code: 'outcome_unknown',
            retryable: false,
            call: expect.any(String) as unknown,
            receipt: { seq: 2 },
          },
        },
      })
    await done(
      call('admin/reconcile', { agentId: agent.id }, { bearer: agent.owner.bearer, baseUrl: victim.baseUrl() }),
    )
    await failed(invoke(agent, { idempotencyKey: 'k' }, { baseUrl: victim.baseUrl() }), 'outcome_unknown')
    expect(upstream.at('/slow/crash')).toHaveLength(1)
    go.resolve()
    expect(await done(admin('listAudit', { agentId: agent.id, action: 'tool.reconcile' }, agent.owner))).toMatchObject({
      entries: [{ meta: { outcome: 'unknown' } }],
    })
  })
})
