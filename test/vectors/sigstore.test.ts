import { createRequire } from 'node:module'
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { hexToBytes, utf8 } from '@vitrine/core/bytes'
import { checkpointText } from '@vitrine/core/log/checkpoint'
import { GENESIS_PREV, hashEntry, type Entry } from '@vitrine/core/log/entry'
import { canonicalize } from '@vitrine/core/json/jcs'
import {
  appendLeaf,
  emptyFrontier,
  foldProof,
  frontierRoot,
  inclusionNodes,
  type TreeNode,
} from '@vitrine/core/log/merkle'
import { ED25519, formatNote, verifierKey } from '@vitrine/core/log/note'

// An independent implementation: Sigstore's verifier of C2SP checkpoints and RFC 6962 inclusion proofs.
interface SigstoreEntry {
  canonicalizedBody: Buffer
  inclusionProof: { logIndex: string; hashes: Uint8Array[]; checkpoint: { envelope: string } }
}
interface SigstoreLog {
  /** Begins with the key id. */
  logID: Buffer
  publicKey: KeyObject
  baseURL: string
}
interface SigstoreCheckpoint {
  logSize: bigint
  logHash: Buffer
}
const require = createRequire(import.meta.url)
const { verifyCheckpoint } = require('@sigstore/verify/dist/tlog/checkpoint.js') as {
  verifyCheckpoint: (entry: SigstoreEntry, logs: SigstoreLog[]) => SigstoreCheckpoint
}
const { verifyMerkleInclusion } = require('@sigstore/verify/dist/tlog/merkle.js') as {
  verifyMerkleInclusion: (entry: SigstoreEntry, checkpoint: SigstoreCheckpoint) => void
}

const ORIGIN = 'vitrine.example/agents/a1'
const SIZE = 11
const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const key = verifierKey(ORIGIN, ED25519, publicKey.export({ type: 'spki', format: 'der' }).subarray(-32))
const log: SigstoreLog = { logID: Buffer.from(key.keyId, 'hex'), publicKey, baseURL: `https://${ORIGIN}` }

const chain: Entry[] = []
for (let seq = 0; seq < SIZE; seq++) {
  const prev = chain.at(-1)
  chain.push({
    v: 1,
    log: 'agents/a1',
    seq,
    prev: prev ? hashEntry(prev) : GENESIS_PREV,
    ts: '2026-01-01T00:00:00.000Z',
    action: 'tool.invoke',
    actor: 'agent:a1',
    target: 'search',
    call: `c${seq}`,
    meta: { status: 200, ok: true, note: 'ü' },
  })
}
const leaves = chain.map((entry) => hexToBytes(hashEntry(entry)))

function rootOf(hashes: Uint8Array[]): Uint8Array {
  const frontier = emptyFrontier()
  for (const hash of hashes) appendLeaf(frontier, hash)
  return frontierRoot(frontier)
}

function signedCheckpoint(size: number): string {
  const text = checkpointText({ origin: ORIGIN, size, root: rootOf(leaves.slice(0, size)), extensions: [] })
  return formatNote({
    text,
    signatures: [{ name: key.name, keyId: key.keyId, signature: sign(null, utf8(text), privateKey) }],
  })
}

function proven(index: number, size: number): SigstoreEntry {
  const nodeOf = (node: TreeNode) =>
    rootOf(leaves.slice(node.index * 2 ** node.level, (node.index + 1) * 2 ** node.level))
  const hashes = foldProof(inclusionNodes(index, size), nodeOf)
  return {
    canonicalizedBody: Buffer.from(canonicalize(chain[index])),
    inclusionProof: { logIndex: String(index), hashes, checkpoint: { envelope: signedCheckpoint(size) } },
  }
}

function verify(entry: SigstoreEntry): SigstoreCheckpoint {
  const checkpoint = verifyCheckpoint(entry, [log])
  verifyMerkleInclusion(entry, checkpoint)
  return checkpoint
}

describe("Sigstore's verifier", () => {
  it('accepts our checkpoint and inclusion proof for every entry at every size', () => {
    for (let size = 1; size <= SIZE; size++) {
      for (let index = 0; index < size; index++) expect(verify(proven(index, size)).logSize).toBe(BigInt(size))
    }
  })

  it('refuses an entry that was changed', () => {
    const entry = proven(5, SIZE)
    const body = Buffer.from(canonicalize({ ...chain[5], actor: 'agent:a2' }))
    expect(() => verify({ ...entry, canonicalizedBody: body })).toThrow('calculated root hash')
  })

  it('refuses another index, and a path with one hash changed, left out or added', () => {
    const { inclusionProof, ...rest } = proven(5, SIZE)
    const { hashes } = inclusionProof
    const changes = hashes.map((hash, i) =>
      hashes.with(
        i,
        Uint8Array.from(hash, (byte) => byte ^ 1),
      ),
    )
    for (const proof of [...changes, hashes.slice(1), [...hashes, hashes[0]!]]) {
      expect(() => verify({ ...rest, inclusionProof: { ...inclusionProof, hashes: proof } })).toThrow()
    }
    expect(() => verify({ ...rest, inclusionProof: { ...inclusionProof, logIndex: '4' } })).toThrow()
  })

  it('refuses a checkpoint that was changed after signing, or signed with another key', () => {
    const { inclusionProof, ...rest } = proven(5, SIZE)
    const envelope = inclusionProof.checkpoint.envelope.replace(`\n${SIZE}\n`, `\n${SIZE + 1}\n`)
    const changed = { ...rest, inclusionProof: { ...inclusionProof, checkpoint: { envelope } } }
    expect(() => verify(changed)).toThrow('invalid checkpoint signature')
    const other = { ...log, publicKey: generateKeyPairSync('ed25519').publicKey }
    expect(() => verifyCheckpoint(proven(5, SIZE), [other])).toThrow('invalid checkpoint signature')
  })
})
