import { randomUUID } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { bytesToHex, concatBytes, hexToBytes } from '@vitrine/core/bytes'
import { verifyCheckpoint } from '@vitrine/core/log/checkpoint'
import { crc32c } from '@vitrine/core/keys/crc'
import { hashEntry, hashLine, type Entry } from '@vitrine/core/log/entry'
import { fail, ok } from '@vitrine/core/result'
import { segmentId, type Segment } from '@vitrine/core/log/segment'
import { checkpointAll, checkpointChain, type Chain } from '../../functions/src/proof/checkpoint.ts'
import { lazyKmsClient } from '../../functions/src/kms/client.ts'
import { createSigner } from '../../functions/src/kms/signer.ts'
import type { Parts } from '../../functions/src/parts.ts'
import type { TileDoc } from '../../functions/src/store/documents.ts'
import { changed } from '../../functions/src/proof/damage.fixture.ts'
import { createLedgerStore } from '../../functions/src/ledger/firestore-store.ts'
import { createLedger } from '../../functions/src/ledger/ledger.ts'
import { rpc } from '../e2e/world.ts'
import { stack } from '../stack/stack.ts'
import {
  auditParts,
  checkpointed,
  checkpointsOf,
  entriesOf,
  fill,
  got,
  newChain,
  reported,
  rootHash,
  signingKey,
  trustOf,
} from './world.ts'

let parts: Parts
beforeAll(() => {
  parts = auditParts()
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Checks that every checkpoint of the chain is signed and has the root of that many entries. */
async function expectSound(log: string): Promise<number[]> {
  const entries = await entriesOf(parts, log)
  const trust = await trustOf(parts, log)
  const checkpoints = await checkpointsOf(parts, log)
  for (const { size, root, note } of checkpoints) {
    expect(root).toBe(bytesToHex(rootHash(entries.slice(0, size))))
    const verified = await verifyCheckpoint(note ?? '', trust)
    expect(verified).toMatchObject({ ok: true, value: { checkpoint: { size } } })
    expect(verified.ok && bytesToHex(verified.value.checkpoint.root)).toBe(root)
  }
  return checkpoints.map(({ size }) => size)
}

async function recordedOn(orgId: string): Promise<Entry['meta'][]> {
  return (await entriesOf(parts, `orgs/${orgId}`))
    .filter(({ action }) => action === 'checkpoint')
    .map(({ meta }) => meta)
}

describe('a chain that grows', () => {
  it('has the same root as one that is hashed from its start, at and around the boundaries of tiles', async () => {
    const chain = newChain()
    const steps = [1, 2, 252, 1, 1, 254, 2, 256, 87]
    for (const step of steps) {
      await fill(parts, chain, step)
      await checkpointed(parts, chain)
    }
    const sizes = steps.map((_, i) => steps.slice(0, i + 1).reduce((a, b) => a + b))
    expect(await expectSound(chain.log)).toEqual(sizes)
    expect(await recordedOn(chain.orgId)).toMatchObject(sizes.map((size) => ({ size })))

    const leaves = (await entriesOf(parts, chain.log)).map((entry) => hexToBytes(hashEntry(entry)))
    const tiles = (await parts.db.collection(`${chain.log}/tiles`).get()).docs
    expect(tiles.map(({ id }) => id)).toEqual(['0-0', '0-1', '0-2'])
    for (const [index, tile] of tiles.entries()) {
      const hashes = concatBytes(...leaves.slice(256 * index, 256 * (index + 1)))
      const { hashes: stored, ...rest } = tile.data() as TileDoc
      expect(rest).toEqual({ orgId: chain.orgId, level: 0, index })
      expect(new Uint8Array(stored)).toEqual(hashes)
    }
  })

  it('by much gets checkpoints on the way', async () => {
    const chain = newChain()
    await fill(parts, chain, 200, 100, 200, 100, 30)
    expect((await checkpointed(parts, chain, 250)).size).toBe(630)
    expect(await expectSound(chain.log)).toEqual([300, 600, 630])
  })

  it('not at all gets none, and nothing is recorded', async () => {
    const chain = newChain()
    expect(await checkpointChain(parts, chain)).toEqual(ok(undefined))
    await fill(parts, chain, 3)
    const first = await checkpointed(parts, chain)
    expect(await checkpointed(parts, chain)).toEqual(first)
    expect(await recordedOn(chain.orgId)).toMatchObject([{ size: 3 }])
  })

  it("and is an organization's own is not made to grow by its checkpoints", async () => {
    const { orgId } = newChain()
    const chain = { log: `orgs/${orgId}`, orgId }
    await fill(parts, chain, 2)
    await checkpointed(parts, chain)
    await checkpointed(parts, chain)
    expect(await expectSound(chain.log)).toEqual([2])
    expect(await entriesOf(parts, chain.log)).toHaveLength(2)
  })
})

it('[usage.follows] the usage document of the chain follows with its checkpoint, and is not set back by an older one', async () => {
  const chain = newChain()
  const path = `${chain.log}/usage/${new Date().toISOString().slice(0, 7)}`
  const append = createLedger(createLedgerStore(rpc()))
  const spend = async (): Promise<void> => {
    const draft = { action: 'tool.invoke.intent' as const, actor: 'agent:x', target: 'x', call: randomUUID(), meta: {} }
    got(await append(chain.log, chain.orgId, { drafts: [draft], charge: { ownerUid: chain.orgId } }))
  }
  const usage = async (): Promise<unknown> => (await parts.db.doc(path).get()).data()
  for (let i = 0; i < 3; i++) await spend()
  // It was written with the first unit, for which the chain leased some.
  expect(await usage()).toMatchObject({ invoked: 1, seq: 0 })
  await checkpointed(parts, chain)
  expect(await usage()).toMatchObject({ orgId: chain.orgId, invoked: 3, credited: 0, seq: 2 })

  const newer = { ...((await usage()) as object), invoked: 9, seq: 8 }
  await parts.db.doc(path).set(newer)
  await spend()
  await checkpointed(parts, chain)
  expect(await usage()).toEqual(newer)
})

describe('signers', () => {
  it('that race make one root and one note of each size', async () => {
    const chain = newChain()
    const others = [parts, auditParts(), auditParts(), auditParts()]
    for (const size of [40, 300]) {
      await fill(parts, chain, size)
      const signed = await Promise.all(others.map((each) => checkpointed(each, chain, 100)))
      expect(new Set(signed.map(({ note }) => note)).size).toBe(1)
    }
    const sizes = await expectSound(chain.log)
    expect(sizes.at(-1)).toBe(340)
    expect(await recordedOn(chain.orgId)).toMatchObject(sizes.map((size) => ({ size })))
  })

  it('that die between creating and signing leave it to the next', async () => {
    const chain = newChain()
    const dying = { ...parts, signer: { ...parts.signer, sign: async () => fail('kms_unavailable') } }
    const lines = reported()
    for (const size of [5, 300]) {
      await fill(parts, chain, size)
      expect(await checkpointChain(dying, chain)).toEqual(fail('kms_unavailable'))
    }
    // The second run fails at the first run's checkpoint, before it makes another.
    expect(await checkpointsOf(parts, chain.log)).toMatchObject([{ size: 5, note: null, finished: false }])
    expect(lines).toEqual([
      `${chain.log} was not checkpointed: kms_unavailable`,
      `${chain.log} was not checkpointed: kms_unavailable`,
    ])

    expect((await checkpointed(parts, chain)).size).toBe(305)
    expect(await expectSound(chain.log)).toEqual([5, 305])
    expect(await recordedOn(chain.orgId)).toMatchObject([{ size: 5 }, { size: 305 }])
  })

  it('sign an older checkpoint too whose signer died while another went on', async () => {
    const chain = newChain()
    await fill(parts, chain, 5)
    await checkpointed(parts, chain)
    await fill(parts, chain, 5)
    await checkpointed(parts, chain)
    await parts.db.doc(`${chain.log}/checkpoints/5`).update({ note: null, finished: false })
    await checkpointed(parts, chain)
    expect(await expectSound(chain.log)).toEqual([5, 10])
  })

  it('store no signature that does not verify', async () => {
    const chain = newChain()
    await fill(parts, chain, 1)
    const real = await lazyKmsClient(stack().kms)()
    const damaged = {
      getPublicKey: real.getPublicKey.bind(real),
      asymmetricSign: async (request: { name: string; data: Uint8Array }) => {
        const [answer] = await real.asymmetricSign(request)
        const signature = Buffer.from(answer.signature as Uint8Array)
        signature[0]! ^= 1
        return [{ ...answer, verifiedDataCrc32c: true, signature, signatureCrc32c: { value: crc32c(signature) } }]
      },
    } as unknown as typeof real
    reported()
    expect(
      await checkpointChain({ ...parts, signer: createSigner(async () => damaged, signingKey()) }, chain),
    ).toMatchObject({ error: { code: 'kms_unavailable' } })
    expect(await checkpointsOf(parts, chain.log)).toMatchObject([{ size: 1, note: null }])
  })
})

describe('a key that is rotated', () => {
  it('signs with its new version what was signed with the old one so far', async () => {
    const kms = await lazyKmsClient(stack().kms)()
    const keyRing = signingKey().split('/cryptoKeys/')[0]!
    const cryptoKey = {
      purpose: 'ASYMMETRIC_SIGN' as const,
      versionTemplate: { algorithm: 'EC_SIGN_ED25519' as const },
    }
    const [{ name }] = await kms.createCryptoKey({ parent: keyRing, cryptoKeyId: `rotated-${randomUUID()}`, cryptoKey })
    const signedBy = (version: number): Parts => ({
      ...parts,
      signer: createSigner(async () => kms, `${name}/cryptoKeyVersions/${version}`),
    })
    const chain = newChain()
    await fill(parts, chain, 5)
    const before = await checkpointed(signedBy(1), chain)
    await kms.createCryptoKeyVersion({ parent: name!, cryptoKeyVersion: {} })
    await fill(parts, chain, 5)
    const after = await checkpointed(signedBy(2), chain)
    for (const [version, { note, size }] of [
      [1, before],
      [2, after],
    ] as const) {
      expect(await verifyCheckpoint(note, await trustOf(signedBy(version), chain.log))).toMatchObject({
        ok: true,
        value: { checkpoint: { size } },
      })
    }
    const keys = got(await signedBy(2).signer.keys())
    expect(keys.all.map((key) => key.name)).toEqual([1, 2].map((version) => `${name}/cryptoKeyVersions/${version}`))
    expect(keys.current).toBe(keys.all[1])

    // KMS no longer returns a disabled version, so no run can continue from what it signed last.
    await kms.updateCryptoKeyVersion({
      cryptoKeyVersion: { name: keys.all[0]!.name, state: 'DISABLED' },
      updateMask: { paths: ['state'] },
    })
    expect(got(await signedBy(2).signer.keys()).all).toEqual([keys.current])
    await fill(parts, chain, 1)
    expect((await checkpointed(signedBy(2), chain)).size).toBe(11)
  })

  it('is unavailable when the version that signs is switched off, or there is none', async () => {
    const kms = await lazyKmsClient(stack().kms)()
    reported()
    expect(await createSigner(async () => kms, `${signingKey()}00`).keys()).toMatchObject({
      error: { code: 'kms_unavailable' },
    })
    expect(await createSigner(async () => kms, signingKey().replace(/1$/, '')).keys()).toMatchObject({
      error: { code: 'kms_unavailable' },
    })
  })
})

describe('what is not signed', () => {
  /** Makes a chain of 600 entries with 300 signed, then applies `change` to what is stored. */
  async function tampered(
    change: (chain: Chain, path: (seq: number) => string) => Promise<unknown>,
  ): Promise<{ message: string; log: string }> {
    const chain = newChain()
    await fill(parts, chain, 200, 100)
    await checkpointed(parts, chain)
    await fill(parts, chain, 100, 1, 99, 100)
    await change(chain, (seq) => `${chain.log}/audit/${segmentId(seq)}`)
    const before = (await checkpointsOf(parts, chain.log)).filter(({ note }) => note !== null)
    const lines = reported()
    const refused = await checkpointChain(parts, chain)
    expect(refused).toMatchObject({ ok: false, error: { code: 'chain_broken' } })
    expect((await checkpointsOf(parts, chain.log)).filter(({ note }) => note !== null)).toEqual(before)
    const message = refused.ok ? '' : refused.error.message!
    expect(lines).toEqual([`${chain.log} was not checkpointed: ${message}`])
    return { message, log: chain.log }
  }

  async function changeSegment(path: string, change: (segment: Segment) => void): Promise<void> {
    const ref = parts.db.doc(path)
    const segment = (await ref.get()).data() as Segment
    change(segment)
    await ref.set(segment)
  }

  it('is a chain with an entry changed', async () => {
    const { message } = await tampered((_, path) => changeSegment(path(400), changed(0, { target: 'other' })))
    expect(message).toMatch(/^Entry 401 of .* the segment before it names another last hash\.$/)
  })

  it('is a chain with an entry changed and its segment made to fit', async () => {
    const { message } = await tampered((_, path) =>
      changeSegment(path(400), (segment) => {
        changed(0, { target: 'other' })(segment)
        segment.tail = hashLine(segment.entries[0]!)
      }),
    )
    expect(message).toMatch(/^Entry 401 of .* its segment does not describe what it holds\.$/)
  })

  it('is a chain with a segment taken out', async () => {
    const { message } = await tampered((_, path) => parts.db.doc(path(400)).delete())
    expect(message).toMatch(/^Entry 400 of .* its segment begins at 401\.$/)
  })

  it('is a chain with entries in another order', async () => {
    const { message } = await tampered((_, path) => changeSegment(path(401), ({ entries }) => entries.reverse()))
    expect(message).toMatch(/^Entry 401 of .* it says that it is number 499\.$/)
  })

  it('is a chain with an entry of another time before the one before', async () => {
    const { message } = await tampered((_, path) =>
      changeSegment(path(401), changed(0, { ts: '2001-01-01T00:00:00.000Z' })),
    )
    expect(message).toMatch(/^Entry 401 of .* it is older than the entry before\.$/)
  })

  it('is a chain with what cannot be hashed', async () => {
    const { message } = await tampered((_, path) =>
      changeSegment(path(400), ({ entries }) => (entries[0] = entries[0]!.replace('"meta":{', '"meta":{"x":NaN,'))),
    )
    expect(message).toMatch(/is not valid JSON/)
  })

  it('is a chain whose last signed entry was changed', async () => {
    const { message } = await tampered((_, path) =>
      changeSegment(path(200), ({ entries }) => (entries[99] = entries[99]!.replace('tool99', 'other'))),
    )
    expect(message).toBe('Entry 299 is not the one that was signed.')
  })

  it('is a chain that is shorter than its checkpoint', async () => {
    const { message } = await tampered((_, path) =>
      Promise.all([200, 300, 400, 401, 500].map((seq) => parts.db.doc(path(seq)).delete())),
    )
    expect(message).toBe('The chain ends before entry 200, a checkpoint covers 300.')
  })

  it('is a chain that goes on from a checkpoint that we did not sign', async () => {
    const { message } = await tampered(({ log }) =>
      parts.db.doc(`${log}/checkpoints/300`).update({ root: 'ab'.repeat(32) }),
    )
    expect(message).toBe('The note of checkpoint 300 is not ours or signs something else.')
  })

  // The first of 44 leaves, the last of them, and the root of the full tile.
  it.each([0, 43 * 32, 44 * 32])(
    'is a chain whose tree was changed beside a genuine checkpoint, at byte %i',
    async (at) => {
      const { message } = await tampered(async ({ log }) => {
        const ref = parts.db.doc(`${log}/checkpoints/300`)
        const edge = Buffer.from((await ref.get()).data()!['edge'] as Uint8Array)
        edge[at]! ^= 1
        await ref.update({ edge })
      })
      expect(message).toMatch(
        /^(Entry 299 is not the one that was signed|The tree stored with checkpoint 300 has another root)\.$/,
      )
    },
  )

  it('is a chain whose tree was cut short beside a genuine checkpoint', async () => {
    const { message } = await tampered(({ log }) =>
      parts.db.doc(`${log}/checkpoints/300`).update({ edge: new Uint8Array(32) }),
    )
    expect(message).toBe('the edge of checkpoint 300 has 32 bytes, not 1440')
  })

  it('is a root of another tree that stands there unsigned, at the end or on the way', async () => {
    for (const size of [600, 400]) {
      const unsigned = { size, root: 'ab'.repeat(32), edge: new Uint8Array(), note: null, finished: false }
      const { message, log } = await tampered(({ log, orgId }) =>
        parts.db.doc(`${log}/checkpoints/${size}`).set({ orgId, ...unsigned }),
      )
      expect(message).toMatch(
        new RegExp(
          `^There is a checkpoint of ${log} at ${size} with another root: (ab){32}, and its entries give [0-9a-f]{64}\\.$`,
        ),
      )
    }
  })

  it('is a size at which no segment ends', async () => {
    const unsigned = { size: 450, root: 'ab'.repeat(32), edge: new Uint8Array(), note: null, finished: false }
    const chain = newChain()
    await fill(parts, chain, 400, 100)
    await parts.db.doc(`${chain.log}/checkpoints/450`).set({ orgId: chain.orgId, ...unsigned })
    reported()
    expect(await checkpointChain(parts, chain)).toMatchObject({
      error: { code: 'chain_broken', message: 'No segment ends where checkpoint 450 does.' },
    })
    expect((await checkpointsOf(parts, chain.log)).find(({ size }) => size === 450)?.note).toBe(null)
  })

  it('is a chain of which a tile holds something else', async () => {
    const { message } = await tampered(({ log, orgId }) =>
      parts.db.doc(`${log}/tiles/0-1`).set({ orgId, level: 0, index: 1, hashes: new Uint8Array(8192) }),
    )
    expect(message).toBe('Tile 0-1 is of other entries.')
  })
})

it('the schedule takes agents before organizations, and one broken chain stops no other', async () => {
  // The functions' own project has the chains of other tests.
  parts = auditParts({ project: `demo-${randomUUID().slice(0, 8)}` })
  const chains = [newChain(), newChain(), newChain()]
  const { log: brokenLog } = chains[1]!
  for (const chain of chains) {
    await parts.db.doc(chain.log).set({ orgId: chain.orgId })
    await parts.db.doc(`orgs/${chain.orgId}`).set({ name: 'x' })
    await fill(parts, chain, 2, 2)
  }
  await parts.db.doc(`${brokenLog}/audit/${segmentId(2)}`).update({ prev: 'ab'.repeat(32) })
  const lines = reported()
  await checkpointAll(parts)
  expect(lines).toEqual([expect.stringContaining(brokenLog)])
  for (const { log, orgId } of chains.filter((chain) => chain.log !== brokenLog)) {
    expect(await expectSound(log)).toEqual([4])
    // The record of the agent's checkpoint is covered by the organization's.
    expect(await expectSound(`orgs/${orgId}`)).toEqual([1])
  }
  expect(await checkpointsOf(parts, brokenLog)).toEqual([])
})
