import { beforeAll, describe, expect, it } from 'vitest'
import { bytesToHex } from '@vitrine/core/bytes'
import { verifyCheckpoint } from '@vitrine/core/checkpoint'
import { hashEntry } from '@vitrine/core/entry'
import { hexToBytes } from '@vitrine/core/bytes'
import { parseTlogProof, verifyTlogProof } from '@vitrine/core/tlog-proof'
import { checkpointChain } from '../../functions/src/checkpoint/checkpoint.ts'
import { chainKey, originOf } from '../../functions/src/checkpoint/sign.ts'
import type { Parts } from '../../functions/src/parts.ts'
import { readReceipt } from '../../functions/src/receipt/receipt.ts'
import { auditParts, entriesOf, fill, newChain, rootHash } from './world.ts'

let parts: Parts
beforeAll(() => {
  parts = auditParts()
})

async function trustOf(log: string) {
  const keys = await parts.signer.keys()
  if (!keys.ok) throw new Error(keys.error.code)
  const origin = originOf(parts, log)
  return { origin, logKeys: [chainKey(origin, keys.value.current)] }
}

async function checkpointed(chain: { log: string; orgId: string }) {
  const done = await checkpointChain(parts, chain)
  if (!done.ok || !done.value) throw new Error(JSON.stringify(done))
  return done.value
}

describe('a checkpoint', () => {
  it('is signed and has the root of all entries, however the chain grew', async () => {
    const chain = newChain()
    const sizes = [1, 2, 252, 1, 1, 254, 2, 87, 169, 256, 3]
    let before = 0
    for (const size of sizes) {
      await fill(parts, chain, size)
      const { note, root, ...signed } = await checkpointed(chain)
      expect(signed.size).toBe((before += size))
      expect(root).toBe(bytesToHex(rootHash(await entriesOf(parts, chain.log))))
      const verified = await verifyCheckpoint(note, await trustOf(chain.log))
      expect(verified).toMatchObject({ ok: true, value: { checkpoint: { size: before } } })
    }
    const entries = await entriesOf(parts, chain.log)
    for (const seq of [0, 1, 255, 256, 511, 512, 767, 1000, before - 1]) {
      const receipt = await readReceipt(parts, chain.log, seq)
      if (!receipt.ok) throw new Error(JSON.stringify(receipt))
      const proof = parseTlogProof(receipt.value.proof)
      if (!proof.ok) throw new Error(proof.error.reason)
      expect(await verifyTlogProof(proof.value, hexToBytes(hashEntry(entries[seq]!)), await trustOf(chain.log))).toMatchObject({ ok: true })
    }
  })
})
