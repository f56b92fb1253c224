import { afterEach, describe, expect, it, vi } from 'vitest'
import { bytesToBase64, bytesToHex, utf8 } from '@vitrine/core/bytes'
import { hashEntry } from '@vitrine/core/log/entry'
import { canonicalize } from '@vitrine/core/json/jcs'
import { ED25519, formatVerifierKey, verifierKey } from '@vitrine/core/log/note'
import {
  createSigner,
  entries,
  invokedAs,
  LOG,
  note,
  operator,
  ORIGIN,
  pem,
  proofFor,
  publicKey,
  rootOf,
  signCheckpoint,
  vkey,
  WITNESSED_S,
  witnessVkey,
} from '../../test/sdk/receipts.ts'
import type { VitrineError } from './error.ts'
import { verifyReceipt, type VerifyReceiptOptions } from './receipt.ts'

afterEach(() => vi.restoreAllMocks())

const trust: VerifyReceiptOptions = { publicKey: vkey }

/** The reason for which a receipt is refused. */
async function problem(receipt: unknown, options = trust): Promise<string> {
  const error = await verifyReceipt(receipt as string, options).then(
    () => new Error('it is valid'),
    (reason: unknown) => reason as VitrineError,
  )
  expect(error).toMatchObject({ name: 'VitrineError', code: 'receipt_invalid', retryable: false })
  return String((error as VitrineError).details['reason'])
}

/** A proof with other extra data, in base64 where it is text. */
function withExtra(proof: string, extra: string | Uint8Array): string {
  return proof.replace(/^extra .*$/m, `extra ${bytesToBase64(typeof extra === 'string' ? utf8(extra) : extra)}`)
}

/** A chain in which one entry is not as an operator may write it, signed by the operator all the same. */
function proofOfOdd(seq: number, change: object): string {
  const of = entries.with(seq, { ...entries[seq]!, ...change })
  return proofFor(seq, { of, under: signCheckpoint(ORIGIN, of.length, rootOf(of), operator) })
}

describe('a receipt', () => {
  it('verifies at every place, as text and as the answer that it came in', async () => {
    for (const [seq, entry] of entries.entries()) {
      const proof = proofFor(seq)
      const verified = await verifyReceipt(proof, trust)
      expect(verified).toEqual({
        entry,
        hash: hashEntry(entry),
        checkpoint: { origin: ORIGIN, size: entries.length, root: bytesToHex(rootOf(entries)) },
        witnesses: [],
      })
      expect(
        await verifyReceipt(
          { entry, proof, checkpointSize: entries.length },
          { ...trust, entry, invoked: invokedAs(seq) },
        ),
      ).toEqual(verified)
    }
  })

  it('says which of the given witnesses saw the checkpoint, and when', async () => {
    const { witnesses } = await verifyReceipt(proofFor(3), { ...trust, witnesses: [witnessVkey] })
    expect(witnesses).toEqual([{ name: 'witness.example/w1', seenAt: new Date(WITNESSED_S * 1000).toISOString() }])
  })

  it('is good for an action that a later version brings', async () => {
    const proof = proofOfOdd(2, { action: 'tool.forget' })
    expect(await verifyReceipt(proof, trust)).toMatchObject({ entry: { seq: 2, action: 'tool.forget' } })
  })
})

describe('the pinned key', () => {
  const other = createSigner('other')
  const otherVkey = formatVerifierKey(verifierKey(ORIGIN, ED25519, other.publicKey))
  const orgVkey = formatVerifierKey(verifierKey('demo-vitrine/orgs/org_1', ED25519, operator.publicKey))

  it.each<[string, VerifyReceiptOptions]>([
    ['base64', { publicKey, origin: ORIGIN }],
    ['PEM', { publicKey: pem, origin: ORIGIN }],
    ['one of several', { publicKey: [otherVkey, vkey] }],
    ['the same key, noted down for another chain', { publicKey: orgVkey, origin: ORIGIN }],
  ])('may be %s', async (_, options) => {
    expect(await verifyReceipt(proofFor(0), options)).toMatchObject({ entry: entries[0] })
  })

  it.each<[string, VerifyReceiptOptions, string]>([
    ['of somebody else', { publicKey: otherVkey }, 'no_known_signature'],
    ['of somebody else in base64', { publicKey: bytesToBase64(other.publicKey), origin: ORIGIN }, 'no_known_signature'],
    ['of another chain', { publicKey: orgVkey }, 'wrong_origin'],
    ['under another origin', { publicKey, origin: 'demo-vitrine/agents/agt_2' }, 'wrong_origin'],
    ['in another project', { publicKey: vkey, origin: `other/${LOG}` }, 'wrong_origin'],
  ])('%s does not fit', async (_, options, reason) => {
    expect(await problem(proofFor(0), options)).toBe(reason)
  })

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'publicKey'],
    ['no key', {}, 'publicKey'],
    ['an empty list', { publicKey: [] }, 'publicKey'],
    ['a text that is no key', { publicKey: 'hunter2' }, 'publicKey'],
    ['a witness as the key', { publicKey: witnessVkey }, 'publicKey'],
    ['bytes', { publicKey: operator.publicKey }, 'publicKey'],
    ['a key without a name or origin', { publicKey }, 'origin'],
    ['keys of two names', { publicKey: [vkey, orgVkey] }, 'origin'],
    ['an origin that cannot be', { publicKey, origin: 'two words' }, 'origin'],
    ['an origin that is no text', { publicKey, origin: 7 }, 'origin'],
    ['the key as its witness', { publicKey: vkey, witnesses: [vkey] }, 'witnesses'],
    ['a witness that is no list', { publicKey: vkey, witnesses: witnessVkey }, 'witnesses'],
  ])('%s is refused before anything is verified', async (_, options, field) => {
    await expect(verifyReceipt(proofFor(0), options as VerifyReceiptOptions)).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { field },
    })
  })
})

describe('a receipt that was tampered with', () => {
  const proof = proofFor(5)
  const text = canonicalize(entries[5])
  const flip = (line: string) => (line.startsWith('A') ? 'B' : 'A') + line.slice(1)

  it('is refused for any hash of its path', async () => {
    const path = /index 5\n([\s\S]*?)\n\n/.exec(proof)![1]!.split('\n')
    expect(path).toHaveLength(4)
    for (const hash of path) expect(await problem(proof.replace(hash, flip(hash)))).toBe('not_included')
    expect(await problem(proof.replace(`${path[0]}\n`, ''))).toBe('not_included')
  })

  it.each<[string, string, string]>([
    ['the entry', withExtra(proof, text.replace('"search"', '"other"')), 'not_included'],
    ['another entry', withExtra(proof, canonicalize(entries[4])), 'not_included'],
    ['the index', proof.replace('index 5', 'index 4'), 'not_included'],
    ['the size', proof.replace('\n12\n', '\n13\n'), 'bad_signature'],
    ['the origin', proof.replaceAll(ORIGIN, `${ORIGIN}2`), 'wrong_origin'],
    ['no signature of the log', proof.replaceAll(`— ${ORIGIN}`, '— stranger'), 'no_known_signature'],
    ['no signatures', proof.slice(0, proof.indexOf('\n—')), 'malformed'],
    ['no entry', proof.replace(/^extra .*\n/m, ''), 'malformed'],
    ['white space in the entry', withExtra(proof, text.replace('{', '{ ')), 'malformed'],
    ['a key twice in the entry', withExtra(proof, text.replace('{', '{"v":1,')), 'malformed'],
    ['a field behind the entry', withExtra(proof, `${text},"a":1`), 'malformed'],
    ['a field too many in the entry', withExtra(proof, canonicalize({ ...entries[5], x: 1 })), 'malformed'],
    ['no text for the entry', withExtra(proof, Uint8Array.of(0xff)), 'malformed'],
    ['no object for the entry', withExtra(proof, '7'), 'malformed'],
    ['another line for the entry', withExtra(proof, '1,"type":"end"'), 'malformed'],
    ['nothing at all', '', 'malformed'],
    ['a checkpoint instead', note, 'malformed'],
  ])('%s', async (_, receipt, reason) => {
    expect(await problem(receipt)).toBe(reason)
  })

  it.each([undefined, null, 7, {}, [], { proof: 7 }])('%j is malformed', async (receipt) => {
    expect(await problem(receipt)).toBe('malformed')
  })

  it("is refused for a witness's cosignature that is wrong, where that witness counts", async () => {
    const forged = proof.replace(/(?<=— witness\.example\/w1 .{30})./, (char) => (char === 'A' ? 'B' : 'A'))
    expect(forged).not.toBe(proof)
    expect(await problem(forged, { ...trust, witnesses: [witnessVkey] })).toBe('bad_signature')
    expect(await verifyReceipt(forged, trust)).toMatchObject({ entry: { seq: 5 }, witnesses: [] })
  })
})

describe('a genuine signature over', () => {
  it.each([
    ['an entry that says it stands elsewhere', { seq: 9 }],
    ['an entry that says it is of another chain', { log: 'agents/agt_2' }],
    ['an entry whose chain ends alike', { log: 'agents/1' }],
  ])('%s proves nothing', async (_, change) => {
    expect(await problem(proofOfOdd(5, change))).toBe('misplaced')
  })
})

describe('what is expected of it', () => {
  const proof = proofFor(5)
  const others: [string, Partial<VerifyReceiptOptions>, string][] = [
    ['another entry', { entry: entries[4]! }, 'other_entry'],
    ['an entry with a change', { entry: { ...entries[5]!, target: 'x' } }, 'other_entry'],
    ['something that is no entry', { entry: undefined as never, invoked: {} as never }, 'other_entry'],
    ['an invocation at another place', { invoked: invokedAs(4) }, 'other_entry'],
    ['an invocation of another agent', { invoked: { ...invokedAs(5), log: 'agents/agt_2' } }, 'other_entry'],
    [
      'an invocation that was told another hash',
      { invoked: { ...invokedAs(5), hash: invokedAs(4).hash } },
      'hash_mismatch',
    ],
  ]
  it.each(others)('%s', async (_, expected, reason) => {
    expect(await problem(proof, { ...trust, ...expected })).toBe(reason)
  })

  it('an answer whose entry is not the one in its proof', async () => {
    expect(await problem({ entry: entries[4], proof, checkpointSize: 12 })).toBe('other_entry')
    expect(await problem({ entry: { a: undefined }, proof, checkpointSize: 12 })).toBe('other_entry')
  })
})

it('does not take a platform without Ed25519 for a forged signature', async () => {
  vi.spyOn(globalThis.crypto.subtle, 'importKey').mockRejectedValue(new DOMException('no Ed25519', 'NotSupportedError'))
  await expect(verifyReceipt(proofFor(0), trust)).rejects.toMatchObject({ code: 'unsupported' })
})
