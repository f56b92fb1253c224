import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bytesToBase64, utf8 } from '../bytes.ts'
import { checkpointText, parseCheckpointText, verifyCheckpoint, type Checkpoint } from './checkpoint.ts'
import { EMPTY_ROOT } from './merkle.ts'
import {
  COSIGNATURE_V1,
  cosignature,
  cosignedBytes,
  ED25519,
  formatNote,
  verifierKey,
  type SignatureLine,
} from './note.ts'

const ORIGIN = 'log.example/agents/a1'
const ROOT = new Uint8Array(32).fill(7)
const ROOT_LINE = bytesToBase64(ROOT)
const checkpoint: Checkpoint = { origin: ORIGIN, size: 42, root: ROOT, extensions: [] }
const TEXT = `${ORIGIN}\n42\n${ROOT_LINE}\n`

describe('checkpoint text', () => {
  it.each<[Checkpoint, string]>([
    [checkpoint, TEXT],
    [{ ...checkpoint, extensions: ['one', 'two words'] }, `${TEXT}one\ntwo words\n`],
    [{ ...checkpoint, size: 0, root: Uint8Array.from(EMPTY_ROOT) }, `${ORIGIN}\n0\n${bytesToBase64(EMPTY_ROOT)}\n`],
    [{ ...checkpoint, size: Number.MAX_SAFE_INTEGER }, `${ORIGIN}\n9007199254740991\n${ROOT_LINE}\n`],
    [{ ...checkpoint, origin: 'Prüfspur 🔍 nr. 1' }, `Prüfspur 🔍 nr. 1\n42\n${ROOT_LINE}\n`],
  ])('is written and read alike', (value, text) => {
    expect(checkpointText(value)).toBe(text)
    expect(parseCheckpointText(text)).toEqual({ ok: true, value })
  })

  it.each<[string, string]>([
    ['nothing', ''],
    ['a newline alone', '\n'],
    ['two lines', `${ORIGIN}\n42\n`],
    ['no final newline', TEXT.trimEnd()],
    ['a blank line at the end', `${TEXT}\n`],
    ['a blank line inside', `${ORIGIN}\n\n42\n${ROOT_LINE}\n`],
    ['an empty extension between others', `${TEXT}a\n\nb\n`],
    ['no origin', TEXT.slice(ORIGIN.length)],
    ['CRLF', TEXT.replaceAll('\n', '\r\n')],
    ['a control character', TEXT.replace('log', 'l\u0007g')],
    ...[
      '',
      ' 42',
      '42 ',
      '042',
      '00',
      '+42',
      '-1',
      '4_2',
      '0x2a',
      '4.2e1',
      '42.0',
      '٤٢',
      '9007199254740992',
      '1'.repeat(400),
    ].map((size): [string, string] => [`the size "${size.slice(0, 20)}"`, `${ORIGIN}\n${size}\n${ROOT_LINE}\n`]),
    ...[
      '',
      ROOT_LINE.replace('=', ''),
      ` ${ROOT_LINE}`,
      `${ROOT_LINE} `,
      ROOT_LINE.replace(/.=$/, 'd='),
      `${ROOT_LINE}AAAA`,
      bytesToBase64(new Uint8Array(31)),
      bytesToBase64(new Uint8Array(33)),
      '07'.repeat(32),
    ].map((root): [string, string] => [`the root "${root}"`, `${ORIGIN}\n42\n${root}\n`]),
    ['size 0 and another root than the empty tree', `${ORIGIN}\n0\n${ROOT_LINE}\n`],
  ])('is refused with %s', (_, text) => {
    expect(parseCheckpointText(text)).toMatchObject({ ok: false, error: { code: 'malformed' } })
  })

  it.each<[string, Partial<Checkpoint>]>([
    ['no origin', { origin: '' }],
    ['an origin of two lines', { origin: 'a\n1', size: 1 }],
    ['an origin that brings a whole head with it', { origin: `a\n1\n${ROOT_LINE}` }],
    ['a negative size', { size: -1 }],
    ['a fraction', { size: 1.5 }],
    ['a size that is not exact', { size: 2 ** 53 }],
    ['NaN', { size: NaN }],
    ['a short root', { root: new Uint8Array(31) }],
    ['another root than the empty tree at size 0', { size: 0 }],
    ['an empty extension', { extensions: [''] }],
    ['an extension of two lines', { extensions: ['a\nb'] }],
  ])('is not written with %s', (_, change) => {
    expect(() => checkpointText({ ...checkpoint, ...change })).toThrow(RangeError)
  })
})

describe('verifyCheckpoint', () => {
  const newKey = (name: string, type: typeof ED25519 | typeof COSIGNATURE_V1) => {
    const pair = generateKeyPairSync('ed25519')
    const publicKey = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)
    return { privateKey: pair.privateKey, key: verifierKey(name, type, publicKey) }
  }
  const log = newKey(ORIGIN, ED25519)
  const witness = newKey('witness.example', COSIGNATURE_V1)
  const byLog = (text: string, privateKey: KeyObject = log.privateKey): SignatureLine => ({
    name: log.key.name,
    keyId: log.key.keyId,
    signature: sign(null, utf8(text), privateKey),
  })
  const byWitness = (text: string): SignatureLine => {
    const signature = cosignature(1, sign(null, cosignedBytes(text, 1), witness.privateKey))
    return { name: witness.key.name, keyId: witness.key.keyId, signature }
  }
  const trust = { origin: ORIGIN, logKeys: [log.key], witnesses: [witness.key] }

  it('accepts the log alone, and tells of witnesses that it knows', async () => {
    expect(await verifyCheckpoint(formatNote({ text: TEXT, signatures: [byLog(TEXT)] }), trust)).toEqual({
      ok: true,
      value: { checkpoint, signatures: [{ key: log.key }] },
    })
    const cosigned = formatNote({ text: TEXT, signatures: [byLog(TEXT), byWitness(TEXT)] })
    const verified = await verifyCheckpoint(cosigned, trust)
    expect(verified).toMatchObject({ ok: true, value: { signatures: [{ key: log.key }, { timestampS: 1 }] } })
    const { witnesses: _, ...withoutWitnesses } = trust
    expect(await verifyCheckpoint(cosigned, withoutWitnesses)).toMatchObject({
      ok: true,
      value: { signatures: [{ key: log.key }] },
    })
  })

  it('does not take a witness for the log', async () => {
    const signed = formatNote({ text: TEXT, signatures: [byWitness(TEXT)] })
    expect(await verifyCheckpoint(signed, trust)).toMatchObject({ ok: false, error: { code: 'no_known_signature' } })
  })

  it('refuses another origin although the key is right', async () => {
    const signed = formatNote({ text: TEXT, signatures: [byLog(TEXT)] })
    expect(await verifyCheckpoint(signed, { ...trust, origin: `${ORIGIN}x` })).toMatchObject({
      ok: false,
      error: { code: 'wrong_origin' },
    })
  })

  it("refuses a head that was changed after signing, and a key that is not the log's", async () => {
    const larger = TEXT.replace('42', '43')
    const wrong = [[byLog(TEXT)], [byLog(larger, witness.privateKey)], [byLog(larger), { ...byWitness(TEXT) }]]
    for (const signatures of wrong) {
      const signed = formatNote({ text: larger, signatures })
      expect(await verifyCheckpoint(signed, trust)).toMatchObject({ ok: false, error: { code: 'bad_signature' } })
    }
  })

  it('refuses a signed text that is no checkpoint', async () => {
    for (const text of ['hello\n', `${TEXT}\n`, `${ORIGIN}\n042\n${ROOT_LINE}\n`]) {
      const signed = formatNote({ text, signatures: [byLog(text)] })
      expect(await verifyCheckpoint(signed, trust)).toMatchObject({ ok: false, error: { code: 'malformed' } })
    }
  })
})
