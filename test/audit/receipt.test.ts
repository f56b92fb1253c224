import { createPublicKey, type KeyObject } from 'node:crypto'
import { createRequire } from 'node:module'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { base64ToBytes, fromUtf8, hexToBytes } from '@vitrine/core/bytes'
import { hashEntry, hashLine, type Entry } from '@vitrine/core/log/entry'
import { canonicalize } from '@vitrine/core/json/jcs'
import { parseVerifierKey } from '@vitrine/core/log/note'
import { parseTlogProof, verifyTlogProof, type TlogProof } from '@vitrine/core/log/tlog-proof'
import type { Parts } from '../../functions/src/parts.ts'
import { readReceipt, type ProvenEntry } from '../../functions/src/proof/receipt.ts'
import { admin, call, db, done, failed, invoke, newAgent, newAgentWith, newOwner, type Owner } from '../e2e/world.ts'
import { startUpstream, type Upstream } from '../e2e/upstream.ts'
import { auditParts, checkpointed, entriesOf, fill, got, newChain, reported, trustOf } from './world.ts'

let upstream: Upstream
let parts: Parts
beforeAll(async () => {
  upstream = await startUpstream()
  parts = auditParts()
})
afterAll(() => upstream.close())
afterEach(() => {
  vi.restoreAllMocks()
})

interface Checkpointed {
  log: string
  size: number
  root: string
  note: string
  vkey: string
}

function checkpoint(chain: object, by: Owner): Promise<Checkpointed> {
  return done(admin('checkpoint', chain, by))
}

/** Verifies with only the receipt and the log's key. */
async function verified(receipt: ProvenEntry, vkey: string): Promise<TlogProof> {
  const key = got(parseVerifierKey(vkey))
  const proof = got(parseTlogProof(receipt.proof))
  const text = fromUtf8(proof.extra!)
  expect(text).toBe(canonicalize(receipt.entry))
  const { checkpoint } = got(
    await verifyTlogProof(proof, hexToBytes(hashLine(text)), { origin: key.name, logKeys: [key] }),
  )
  expect(checkpoint.size).toBe(receipt.checkpointSize)
  return proof
}

describe('over HTTP', () => {
  it('an agent, its owner and an auditor get the receipt of every entry', async () => {
    const agent = await newAgentWith(`${upstream.origin}/ok`)
    const { receipt } = await done<{ receipt: { log: string; seq: number; hash: string } }>(invoke(agent))
    const pending = await failed(call('getReceipt', { seq: receipt.seq }, { bearer: agent.key }), 'receipt_pending')
    expect(pending.details).toMatchObject({ size: 0, retryable: true })

    const { log, size, vkey, note } = await checkpoint({ agentId: agent.id }, agent.owner)
    expect({ log, size }).toEqual({ log: receipt.log, size: receipt.seq + 1 })
    const auditor = await newOwner()
    await db().doc(`orgs/${agent.owner.uid}/members/${auditor.uid}`).set({ role: 'auditor' })
    for (let seq = 0; seq < size; seq++) {
      const own = await done<ProvenEntry>(call('getReceipt', { seq }, { bearer: agent.key }))
      expect((await verified(own, vkey)).checkpoint).toBe(note)
      expect(own.entry.seq).toBe(seq)
      for (const by of [agent.owner, auditor])
        expect(await done(admin('getReceipt', { agentId: agent.id, seq }, by))).toEqual(own)
      if (seq === receipt.seq) expect(hashEntry(own.entry)).toBe(receipt.hash)
    }

    await invoke(agent)
    expect(
      (await failed(call('getReceipt', { seq: size }, { bearer: agent.key }), 'receipt_pending')).details,
    ).toMatchObject({ size })
    await failed(call('getReceipt', { seq: size + 2 }, { bearer: agent.key }), 'receipt_not_found')
  })

  it("an organization's chain has receipts too, of the checkpoints of its agents among others", async () => {
    const agent = await newAgent()
    const orgId = agent.owner.uid
    const agents = await checkpoint({ agentId: agent.id }, agent.owner)
    const { vkey, size } = await checkpoint({ orgId }, agent.owner)
    const last = await done<ProvenEntry>(admin('getReceipt', { orgId, seq: size - 1 }, agent.owner))
    await verified(last, vkey)
    expect(last.entry).toMatchObject({
      action: 'checkpoint',
      actor: 'system:checkpoint',
      target: agents.log,
      meta: { size: agents.size, root: agents.root },
    })
  })

  it('nobody else gets one', async () => {
    const agent = await newAgent()
    await checkpoint({ agentId: agent.id }, agent.owner)
    const stranger = await newAgent()
    const ofAgent = { agentId: agent.id, seq: 0 }
    await failed(admin('getReceipt', ofAgent, stranger.owner), 'agent_not_found')
    await failed(admin('checkpoint', { agentId: agent.id }, stranger.owner), 'agent_not_found')
    await failed(admin('getReceipt', { orgId: agent.owner.uid, seq: 0 }, stranger.owner), 'org_not_found')
    await failed(call('admin/getReceipt', ofAgent, { bearer: agent.key }), 'permission_denied')
    await failed(call('getReceipt', { seq: 0 }, { bearer: agent.owner.bearer }), 'permission_denied')
    await failed(call('getReceipt', { seq: 0 }), 'unauthenticated')
    await done(admin('disableAgent', { agentId: agent.id, disabled: true }, agent.owner))
    await failed(call('getReceipt', { seq: 0 }, { bearer: agent.key }), 'agent_disabled')
  })

  it('an auditor reads, and has nothing signed', async () => {
    const agent = await newAgent()
    const auditor = await newOwner()
    await db().doc(`orgs/${agent.owner.uid}/members/${auditor.uid}`).set({ role: 'auditor' })
    await failed(admin('checkpoint', { agentId: agent.id }, auditor), 'permission_denied')
    await failed(admin('checkpoint', { orgId: agent.owner.uid }, auditor), 'permission_denied')
  })

  it.each([{}, { seq: -1 }, { seq: 1.5 }, { seq: '0' }, { seq: 2 ** 53 }, { seq: 0, call: 'x' }, null, []])(
    '%j is no request',
    async (data) => {
      const agent = await newAgent()
      await failed(call('getReceipt', data, { bearer: agent.key }), 'invalid_argument')
    },
  )

  it.each([{ seq: 0 }, { agentId: 'a', orgId: 'b', seq: 0 }])('%j names no chain, or two', async (data) => {
    await failed(admin('getReceipt', data, await newOwner()), 'invalid_argument')
  })
})

it('says which keys sign, as text, bytes and PEM', async () => {
  const agent = await newAgent()
  const { vkey } = await checkpoint({ agentId: agent.id }, agent.owner)
  const { keys } = await done<{ keys: { name: string; publicKey: string; pem: string }[] }>(
    admin('signingKeys', {}, agent.owner),
  )
  expect(keys).toHaveLength(1)
  expect(base64ToBytes(keys[0]!.publicKey)).toEqual(got(parseVerifierKey(vkey)).publicKey)
  expect(createPublicKey(keys[0]!.pem).asymmetricKeyType).toBe('ed25519')
  await failed(call('admin/signingKeys', {}), 'unauthenticated')
})

// An independent implementation.
const require = createRequire(import.meta.url)
const sigstore = {
  ...(require('@sigstore/verify/dist/tlog/checkpoint.js') as {
    verifyCheckpoint: (entry: unknown, logs: unknown[]) => { logSize: bigint }
  }),
  ...(require('@sigstore/verify/dist/tlog/merkle.js') as {
    verifyMerkleInclusion: (entry: unknown, checkpoint: unknown) => void
  }),
}

it("Sigstore's verifier accepts the receipts of the running system, and no other entry", async () => {
  const agent = await newAgentWith(`${upstream.origin}/ok`)
  for (let i = 0; i < 3; i++) await invoke(agent)
  const { size, vkey } = await checkpoint({ agentId: agent.id }, agent.owner)
  const { keys } = await done<{ keys: { pem: string }[] }>(admin('signingKeys', {}, agent.owner))
  const publicKey: KeyObject = createPublicKey(keys[0]!.pem)
  const { name, keyId } = got(parseVerifierKey(vkey))
  const log = { logID: Buffer.from(keyId, 'hex'), publicKey, baseURL: `https://${name}` }
  for (let seq = 0; seq < size; seq++) {
    const receipt = await done<ProvenEntry>(call('getReceipt', { seq }, { bearer: agent.key }))
    const { index, proof, extra, checkpoint: envelope } = await verified(receipt, vkey)
    const entry = {
      canonicalizedBody: Buffer.from(extra!),
      inclusionProof: { logIndex: String(index), hashes: proof, checkpoint: { envelope } },
    }
    const checked = sigstore.verifyCheckpoint(entry, [log])
    expect(checked.logSize).toBe(BigInt(size))
    sigstore.verifyMerkleInclusion(entry, checked)
    const other = Buffer.from(canonicalize({ ...receipt.entry, actor: 'agent:other' } satisfies Entry))
    expect(() => sigstore.verifyMerkleInclusion({ ...entry, canonicalizedBody: other }, checked)).toThrow()
  }
})

describe('in a chain of 600 entries', () => {
  it('every kind of place has a receipt, from few documents', async () => {
    const chain = newChain()
    await fill(parts, chain, 250, 100, 200)
    await checkpointed(parts, chain)
    await fill(parts, chain, 50, 7)
    await checkpointed(parts, chain)
    const trust = await trustOf(parts, chain.log)
    const entries = await entriesOf(parts, chain.log)
    for (const seq of [0, 1, 100, 249, 250, 255, 256, 257, 400, 511, 512, 513, 549, 550, 599, 600, 606]) {
      const documents = vi.spyOn(parts.db, 'getAll')
      const receipt = got(await readReceipt(parts, chain.log, seq))
      // Besides the segment and the checkpoint it reads only full tiles, two at most.
      expect(documents.mock.calls.flat().length).toBeLessThanOrEqual(2)
      documents.mockRestore()
      expect(receipt).toMatchObject({ entry: entries[seq], checkpointSize: 607 })
      const proof = got(parseTlogProof(receipt.proof))
      expect(proof.index).toBe(seq)
      expect(await verifyTlogProof(proof, hexToBytes(hashEntry(entries[seq]!)), trust)).toMatchObject({ ok: true })
    }
  })

  it('an older checkpoint gives it while the newest is not signed', async () => {
    const chain = newChain()
    await fill(parts, chain, 5)
    await checkpointed(parts, chain)
    const unsigned = { orgId: chain.orgId, root: 'ab'.repeat(32), edge: new Uint8Array(), note: null, finished: false }
    for (const size of [6, 7]) await parts.db.doc(`${chain.log}/checkpoints/${size}`).set({ ...unsigned, size })
    expect(got(await readReceipt(parts, chain.log, 4)).checkpointSize).toBe(5)
  })

  it('none is made of an entry or a tile that was changed', async () => {
    const chain = newChain()
    await fill(parts, chain, 256, 100)
    await checkpointed(parts, chain)
    const lines = reported()
    const tile = parts.db.doc(`${chain.log}/tiles/0-0`)
    const hashes = Buffer.from((await tile.get()).data()!['hashes'] as Uint8Array)
    hashes[32 * 7]! ^= 1
    await tile.update({ hashes })
    expect(await readReceipt(parts, chain.log, 3)).toMatchObject({ error: { code: 'chain_broken' } })
    const segment = parts.db.doc(`${chain.log}/audit/0000000000000256`)
    const [first, ...rest] = (await segment.get()).data()!['entries'] as Entry[]
    await segment.update({ entries: [{ ...first!, target: 'other' }, ...rest] })
    expect(await readReceipt(parts, chain.log, 256)).toMatchObject({ error: { code: 'chain_broken' } })
    expect(lines).toEqual(
      [3, 256].map((seq) => `Entry ${seq} of ${chain.log} is not the one that checkpoint 356 covers.`),
    )
  })
})
