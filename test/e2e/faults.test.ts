import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePorts } from '../../scripts/stack/ports.ts'
import { checkChain } from './chain.ts'
import { startFirestoreProxy, type FirestoreProxy } from './firestore-proxy.ts'
import { startFunctions, type Functions } from './functions.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import { admin, call, db, done, failed, invoke, newAgent, newAgentWith, newSecret, setLimit, usageOf } from './world.ts'

const healthy = (): undefined => undefined

/** The functions while a service that they depend on fails. */

let upstream: Upstream
let proxy: FirestoreProxy
/** Has no KMS, no Auth emulator, and Firestore over the proxy. */
let functions: Functions
beforeAll(async () => {
  upstream = await startUpstream()
  proxy = await startFirestoreProxy()
  const [closed] = await freePorts(1)
  functions = await startFunctions({
    KMS_EMULATOR_HOST: `127.0.0.1:${closed}`,
    FIREBASE_AUTH_EMULATOR_HOST: undefined,
    FIRESTORE_EMULATOR_HOST: proxy.host,
  })
})
afterAll(async () => {
  await functions.stop()
  await proxy.close()
  await upstream.close()
})

describe('without KMS', () => {
  it('[credential.kms-down] forwards nothing, says so, and gives the unit back', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/kms`, { authToken: newSecret() })
    await setLimit(agent.owner, 1)
    for (let i = 0; i < 2; i++) await failed(invoke(agent, {}, { baseUrl: functions.baseUrl }), 'kms_unavailable')
    expect(upstream.at('/ok/kms')).toEqual([])
    expect(await usageOf(agent)).toMatchObject({ invoked: 2, credited: 2 })
    const { entries, open } = await checkChain(`agents/${agent.id}`)
    expect([entries.at(-1)!.meta, open]).toMatchObject([{ error: 'kms_unavailable', credited: true, status: 0 }, []])
    await failed(
      call('getToolCredential', { name: 'tool' }, { bearer: agent.key, baseUrl: functions.baseUrl }),
      'kms_unavailable',
    )
    await done(invoke(agent))
  })

  it('[credential.kms-down] stores no credential, and needs no KMS where there is none', async () => {
    const agent = await newAgent()
    const { baseUrl } = functions
    const { key } = await done<{ key: string }>(admin('createOwnerKey', { label: 'ci' }, agent.owner))
    const tool = { agentId: agent.id, name: 'tool', kind: 'http', url: `${upstream.origin}/ok` }
    await failed(call('registerTool', { ...tool, authToken: newSecret() }, { bearer: key, baseUrl }), 'kms_unavailable')
    expect((await db().doc(`agents/${agent.id}/tools/tool`).get()).exists).toBe(false)
    await done(call('registerTool', tool, { bearer: key, baseUrl }))
    await done(invoke(agent, {}, { baseUrl }))
    expect((await checkChain(`agents/${agent.id}`)).entries).toHaveLength(4)
  })
})

describe('with Firestore over a bad line', () => {
  it('[ledger.lost-ack] recognizes its own commits when their acknowledgements are lost: no entry twice, none missing', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/lost-ack`)
    const { baseUrl } = functions
    await done(invoke(agent, {}, { baseUrl }))
    proxy.fault('Commit', (nth) => (nth % 2 === 0 ? 'unacknowledged' : undefined))
    const answers = await Promise.all(Array.from({ length: 8 }, () => done(invoke(agent, {}, { baseUrl }))))
    proxy.fault('Commit', healthy)
    await done(invoke(agent, {}, { baseUrl }))
    expect(upstream.at('/ok/lost-ack')).toHaveLength(10)
    const { entries, open, usage } = await checkChain(`agents/${agent.id}`)
    expect(usage).toMatchObject({ invoked: 10, credited: 0 })
    expect([entries.length, open]).toEqual([22, []])
    const seqs = answers.map(({ receipt }) => (receipt as { seq: number }).seq)
    expect(seqs.map((seq) => entries[seq]!.action)).toEqual(seqs.map(() => 'tool.invoke'))
    expect(new Set(seqs).size).toBe(8)
  })

  it('[ledger.down] calls no tool while the chain cannot be written', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok/down`)
    const { baseUrl } = functions
    proxy.fault('Commit', () => 'lost')
    await Promise.all([1, 2, 3].map(() => failed(invoke(agent, {}, { baseUrl }), 'ledger_unavailable')))
    proxy.fault('Commit', healthy)
    await done(invoke(agent, {}, { baseUrl }))
    expect(upstream.at('/ok/down')).toHaveLength(1)
    // The commit that was under way may have been written after all; then its intent is closed and its unit credited, or
    // stays open for the reconciler.
    const { open, usage } = await checkChain(`agents/${agent.id}`)
    expect(usage.invoked - usage.credited).toBe(1 + open.length)
    expect(open.length).toBeLessThanOrEqual(1)
  })

  it('[ledger.pending] answers with what the tool said when the outcome cannot be recorded yet, and records it later', async () => {
    const breaking = await startUpstream({
      breaking: (_hit, response) => {
        proxy.fault('Commit', () => 'lost')
        response.writeHead(200).end()
      },
    })
    const agent = await newAgentWith(`${breaking.origin}/breaking`)
    const { status, receipt } = await done(invoke(agent, {}, { baseUrl: functions.baseUrl }))
    proxy.fault('Commit', healthy)
    expect([status, receipt]).toMatchObject([200, { pending: true, seq: 2 }])
    await expect.poll(async () => (await checkChain(`agents/${agent.id}`)).open).toEqual([])
    await breaking.close()
  })
})

describe('without an Auth emulator', () => {
  it('[identity.forged] rejects an ID token of alg none that says the right things', async () => {
    const agent = await newAgent()
    // The emulator does not sign its tokens, so they look like forged ones.
    const forged = agent.owner.bearer
    expect(JSON.parse(Buffer.from(forged.split('.')[0]!, 'base64url').toString())).toMatchObject({ alg: 'none' })
    await failed(
      call('admin/listTools', { agentId: agent.id }, { bearer: forged, baseUrl: functions.baseUrl }),
      'invalid_key',
    )
    await failed(
      call(
        'registerTool',
        { agentId: agent.id, name: 'tool', kind: 'http', url: upstream.origin },
        { bearer: forged, baseUrl: functions.baseUrl },
      ),
      'invalid_key',
    )
    expect((await checkChain(`agents/${agent.id}`)).entries).toHaveLength(1)
  })
})
