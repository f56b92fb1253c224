import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bytesToBase64, utf8 } from '../bytes.ts'
import { checkpointText } from './checkpoint.ts'
import {
  appendLeaf,
  emptyFrontier,
  foldProof,
  frontierRoot,
  inclusionNodes,
  leafHash,
  type TreeNode,
} from './merkle.ts'
import { ED25519, formatNote, verifierKey } from './note.ts'
import {
  formatTlogProof,
  parseTlogProof,
  TLOG_PROOF_LENGTH_MAX,
  verifyTlogProof,
  type TlogProof,
} from './tlog-proof.ts'

// A log of four entries, so that every node of a proof is a leaf or a pair.
const ORIGIN = 'log.example/agents/a1'
const leaves = ['a', 'b', 'c', 'd'].map((text) => leafHash(utf8(text)))
const rootOf = (hashes: Uint8Array[]) => {
  const frontier = emptyFrontier()
  for (const hash of hashes) appendLeaf(frontier, hash)
  return frontierRoot(frontier)
}
const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const key = verifierKey(ORIGIN, ED25519, publicKey.export({ type: 'spki', format: 'der' }).subarray(-32))
const trust = { origin: ORIGIN, logKeys: [key] }

function signedCheckpoint(size: number, root: Uint8Array, origin = ORIGIN): string {
  const text = checkpointText({ origin, size, root, extensions: [] })
  return formatNote({
    text,
    signatures: [{ name: key.name, keyId: key.keyId, signature: sign(null, utf8(text), privateKey) }],
  })
}

const checkpoint = signedCheckpoint(4, rootOf(leaves))
const nodeOf = ({ level, index }: TreeNode) => rootOf(leaves.slice(index << level, (index + 1) << level))
const pathOf = (index: number) => foldProof(inclusionNodes(index, 4), nodeOf)
const plain = (hashes: Uint8Array[]) => hashes.map((hash) => Uint8Array.from(hash))
const proof: TlogProof = { index: 2, proof: plain(pathOf(2)), checkpoint }
const TEXT = `c2sp.org/tlog-proof@v1\nindex 2\n${proof.proof.map(bytesToBase64).join('\n')}\n\n${checkpoint}`

describe('format', () => {
  it('is written and read alike, with and without extra data', () => {
    expect(formatTlogProof(proof)).toBe(TEXT)
    expect(parseTlogProof(TEXT)).toEqual({ ok: true, value: proof })
    const withExtra = { ...proof, extra: Uint8Array.from(utf8('an entry')) }
    expect(formatTlogProof(withExtra)).toBe(TEXT.replace('index', 'extra YW4gZW50cnk=\nindex'))
    expect(parseTlogProof(formatTlogProof(withExtra))).toEqual({ ok: true, value: withExtra })
  })

  it('has no line for the path of a single entry', () => {
    const single = { index: 0, proof: [], checkpoint: signedCheckpoint(1, leaves[0]!) }
    expect(formatTlogProof(single)).toBe(`c2sp.org/tlog-proof@v1\nindex 0\n\n${single.checkpoint}`)
    expect(parseTlogProof(formatTlogProof(single))).toEqual({ ok: true, value: single })
  })

  const hash = bytesToBase64(new Uint8Array(32))
  it.each<[string, string]>([
    ['nothing', ''],
    ['another version', TEXT.replace('@v1', '@v2')],
    ['a space after the first line', TEXT.replace('@v1', '@v1 ')],
    ['a line before the first', `\n${TEXT}`],
    ['CRLF', TEXT.replaceAll('\n', '\r\n')],
    ['no index', TEXT.replace('index 2\n', '')],
    ['two indexes', TEXT.replace('index 2\n', 'index 2\nindex 2\n')],
    ['a leading zero', TEXT.replace('index 2', 'index 02')],
    ['a negative index', TEXT.replace('index 2', 'index -2')],
    ['an index that is not exact', TEXT.replace('index 2', 'index 9007199254740992')],
    ['two spaces', TEXT.replace('index 2', 'index  2')],
    ['an empty extra line', TEXT.replace('index', 'extra \nindex')],
    ['extra data that is not base64', TEXT.replace('index', 'extra *\nindex')],
    ['two extra lines', TEXT.replace('index', 'extra AAAA\nextra AAAA\nindex')],
    ['extra data after the index', TEXT.replace('index 2\n', 'index 2\nextra AAAA\n')],
    ['a short hash', TEXT.replace(/index 2\n.*\n/, `index 2\n${bytesToBase64(new Uint8Array(31))}\n`)],
    ['a hash without padding', TEXT.replace('=\n', '\n')],
    ['more hashes than any tree needs', TEXT.replace('index 2\n', `index 2\n${`${hash}\n`.repeat(62)}`)],
    ['no blank line', TEXT.replace('\n\n', '\n')],
    ['two blank lines', TEXT.replace('\n\n', '\n\n\n')],
    ['no checkpoint', TEXT.slice(0, TEXT.indexOf('\n\n') + 2)],
    ['a checkpoint without signatures', TEXT.slice(0, TEXT.lastIndexOf('\n—'))],
    ['something after the checkpoint', `${TEXT}more\n`],
    ['no final newline', TEXT.trimEnd()],
    ['too long a text', TEXT.replace('index', `extra ${'AAAA'.repeat(TLOG_PROOF_LENGTH_MAX / 4)}\nindex`)],
  ])('is refused with %s', (_, text) => {
    expect(parseTlogProof(text)).toMatchObject({ ok: false, error: { code: 'malformed' } })
  })

  it.each<[string, Partial<TlogProof>]>([
    ['a fraction', { index: 0.5 }],
    ['empty extra data', { extra: new Uint8Array(0) }],
    ['a short hash', { proof: [new Uint8Array(31)] }],
    ['an unsigned checkpoint', { checkpoint: checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1) }],
  ])('is not written with %s', (_, change) => {
    expect(() => formatTlogProof({ ...proof, ...change })).toThrow(RangeError)
  })
})

describe('verifyTlogProof', () => {
  it('accepts each entry at its own place only', async () => {
    for (const [index, leaf] of leaves.entries()) {
      for (const other of leaves.keys()) {
        const verified = await verifyTlogProof({ index: other, proof: pathOf(index), checkpoint }, leaf, trust)
        expect(verified.ok).toBe(other === index)
        if (!verified.ok) expect(verified.error.code).toBe('not_included')
      }
    }
    const verified = await verifyTlogProof(proof, leaves[2]!, trust)
    expect(verified).toMatchObject({ ok: true, value: { checkpoint: { size: 4 }, signatures: [{ key }] } })
  })

  it('refuses another entry, another path, and an index beyond the tree', async () => {
    const changed = plain(proof.proof)
    changed[1]![0]! ^= 1
    const wrong: [TlogProof, Uint8Array][] = [
      [proof, leaves[3]!],
      [{ ...proof, proof: changed }, leaves[2]!],
      [{ ...proof, proof: [] }, leaves[2]!],
      [{ ...proof, index: 6 }, leaves[2]!],
    ]
    for (const [bad, leaf] of wrong) {
      expect(await verifyTlogProof(bad, leaf, trust)).toMatchObject({ ok: false, error: { code: 'not_included' } })
    }
  })

  it("refuses a true path under a checkpoint that is not the log's", async () => {
    const cases: [string, string][] = [
      [checkpoint.replace('\n4\n', '\n3\n'), 'bad_signature'],
      [signedCheckpoint(4, rootOf(leaves), 'log.example/agents/a2'), 'wrong_origin'],
      [checkpoint.replace(`— ${ORIGIN}`, '— other.example'), 'no_known_signature'],
      ['no checkpoint', 'malformed'],
    ]
    for (const [other, code] of cases) {
      expect(await verifyTlogProof({ ...proof, checkpoint: other }, leaves[2]!, trust)).toMatchObject({
        ok: false,
        error: { code },
      })
    }
  })
})
